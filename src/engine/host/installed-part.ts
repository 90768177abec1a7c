import { createRequire } from 'node:module';

/**
 * Loads a package at run time, past any bundler: a native addon has to stay a file of its own. In a
 * bundle of the CommonJS format a module has a file name instead of a URL.
 */
export const installedPart: NodeJS.Require = createRequire(import.meta.url ?? __filename);
