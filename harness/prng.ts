/**
 * Scatters a 32-bit integer over all 32 bits: a bijection found by search, from Chris Wellons'
 * public-domain hash-prospector (https://github.com/skeeto/hash-prospector, constants 16 21f0aaad
 * 15 d35a2d97 15).
 */
export function mix32(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xd35a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** The fraction of the golden ratio: steps by it visit all 32-bit integers, far apart. */
const GOLDEN = 0x9e3779b9;

/**
 * xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (public domain,
 * https://prng.di.unimi.it/xoshiro128starstar.c). Not for secrets.
 */
export class Prng {
  private readonly state: Uint32Array;

  /** Four words, not all of them zero. */
  constructor(state: readonly [number, number, number, number]) {
    this.state = Uint32Array.from(state);
  }

  /** The stream that belongs to a seed, an integer from 0 to 2^32 - 1. */
  static seeded(seed: number): Prng {
    const word = (index: number) => mix32((seed + Math.imul(index, GOLDEN)) >>> 0);
    return new Prng([word(1), word(2), word(3), word(4)]);
  }

  /** An integer from 0 to 2^32 - 1. */
  nextUint32(): number {
    const s0 = this.state[0] as number;
    const s1 = this.state[1] as number;
    const s2 = this.state[2] as number;
    const s3 = this.state[3] as number;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const third = s2 ^ s0;
    const fourth = s3 ^ s1;
    this.state[1] = s1 ^ third;
    this.state[0] = s0 ^ fourth;
    this.state[2] = third ^ (s1 << 9);
    this.state[3] = rotateLeft(fourth, 11);
    return result;
  }

  /** An integer from 0 to `limit - 1`; `limit` at most 2^32. Uneven by less than `limit` / 2^32. */
  below(limit: number): number {
    return Math.floor((this.nextUint32() / 2 ** 32) * limit);
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
