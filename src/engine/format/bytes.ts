import { MAX_KEY_BYTES, MAX_PAYLOAD_BYTES } from './format.ts';

/** Keys and values: bytes, or a string that is taken as UTF-8. */
export type BytesLike = Uint8Array | string;

/**
 * A key as bytes, within the limits of the format; `TypeError` or `RangeError` otherwise, before
 * any I/O.
 */
export function keyBytes(key: BytesLike): Uint8Array {
  return limitedBytes(key, 'key', MAX_KEY_BYTES);
}

export function payloadBytes(value: BytesLike): Uint8Array {
  return limitedBytes(value, 'value', MAX_PAYLOAD_BYTES);
}

function limitedBytes(input: BytesLike, what: string, limit: number): Uint8Array {
  const bytes = typeof input === 'string' ? Buffer.from(input, 'utf8') : input;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(
      `a ${what} must be a Uint8Array or a string, not ${input === null ? 'null' : typeof input}`,
    );
  }
  if (bytes.length > limit) {
    throw new RangeError(`a ${what} of ${bytes.length} bytes is longer than the limit of ${limit}`);
  }
  return bytes;
}
