/** Keys and values for stores of text: any bytes, and never an empty string. */
export const toText = (bytes) => `b${Buffer.from(bytes).toString('base64url')}`;
export const toBytes = (text) => Buffer.from(text.slice(1), 'base64url');
