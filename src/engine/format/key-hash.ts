/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", the 32-bit variant):
 * a keyed hash, so that nobody who does not know the seed can choose keys that pile up in one place
 * of the keydir.
 */
export type HashSeed = readonly [number, number];

/**
 * A power of two. Growing one shard of the keydir moves this fraction of the keys, which bounds how
 * long a put can take.
 */
export const SHARDS = 256;

/** The shard is the topmost byte of the hash. */
export function shardOf(hash: number): number {
  return hash >>> 24;
}

/** The seed of a store: random, the same at every opening, so that seal files can hold hashes. */
export function seedOf(storeId: Buffer): HashSeed {
  return [storeId.readInt32LE(0), storeId.readInt32LE(4)];
}

export function hashKey(bytes: Uint8Array, start: number, end: number, seed: HashSeed): number {
  const length = end - start;
  let v0 = seed[0];
  let v1 = seed[1];
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  let at = start;
  for (const wordsEnd = start + (length & ~3); at < wordsEnd; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  // The last word: what is left of the bytes, and the length.
  let word = length << 24;
  for (let shift = 0; at < end; at++, shift += 8) word |= (bytes[at] as number) << shift;
  v3 ^= word;
  // One round for the word, three to finish.
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= word;
      v2 ^= 0xff;
    }
  }
  return (v1 ^ v3) >>> 0;
}
