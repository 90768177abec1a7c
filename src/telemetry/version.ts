/** That of package.json, which a bundle does not have beside it; a test holds the two together. */
export const VERSION = '0.2.0';
