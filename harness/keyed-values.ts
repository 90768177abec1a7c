/**
 * What a harness puts into a store: keys by number, and for each of them values by version, from 1
 * upward. Any value can be made again at any time, so that nothing has to be remembered but the
 * version that a key should have.
 */
export interface KeyedValues {
  /** Keys have the numbers from 0 to this, exclusive. */
  readonly keyCount: number;
  keyOf(keyNumber: number): Uint8Array;
  /** Undefined for bytes that are no key of these. */
  numberOf(key: Uint8Array): number | undefined;
  /** How a message calls a version: `version 3`, `line 17 of the input`. */
  nameOf(version: number): string;
  valueOf(keyNumber: number, version: number): Uint8Array;
  /** The length of that value. It is not made where that can be avoided. */
  sizeBytesOf(keyNumber: number, version: number): number;
  /** Undefined when `bytes` are that value; otherwise what they seem to be, in words. */
  differenceFrom(keyNumber: number, version: number, bytes: Uint8Array): string | undefined;
}

/** A key as a message shows it: text when it is printable, hexadecimal otherwise. */
export function printableKey(key: Uint8Array): string {
  const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
  if (/^[\p{L}\p{N}\p{P}\p{S} ]{1,200}$/u.test(text) && !text.includes('\ufffd'))
    return JSON.stringify(text);
  const hex = Buffer.from(key.subarray(0, 64)).toString('hex');
  return key.length > 64 ? `hex:${hex}… (${key.length} bytes)` : `hex:${hex}`;
}

/**
 * Where two byte strings part: the first index at which they differ, or the length of the shorter.
 */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    if (a[index] !== b[index]) return index;
  }
  return shorter;
}
