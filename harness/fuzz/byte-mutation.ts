import type { Prng } from '../prng.ts';

/** Integers at which length fields, counters and comparisons tend to break. */
const INTERESTING: readonly bigint[] = [
  0n,
  1n,
  3n,
  24n,
  28n,
  65_536n,
  65_537n,
  67_108_864n,
  67_108_865n,
  0x7fff_ffffn,
  0xffff_ffffn,
  0xffff_fffen,
  2n ** 42n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Longest input that a mutation makes: what breaks a parser fits into less. */
const MOST_BYTES = 64 * 1024;

/**
 * One blind change: bits, bytes, integers, pieces cut, doubled, moved or taken from `other`. Never
 * changes its input.
 */
export function mutateBytes(prng: Prng, input: Uint8Array, other: Uint8Array): Buffer {
  const bytes = Buffer.from(input);
  if (bytes.length === 0) return piece(prng, other);
  const at = prng.below(bytes.length);
  switch (prng.below(9)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << prng.below(8));
      return bytes;
    case 1:
      bytes[at] = prng.below(256);
      return bytes;
    case 2:
    case 3:
      writeInteger(prng, bytes, at);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(at + prng.below(bytes.length - at) + 1),
      ]);
    case 6:
      return limited(bytes.subarray(0, at), piece(prng, bytes), bytes.subarray(at));
    case 7:
      return limited(bytes.subarray(0, at), piece(prng, other), bytes.subarray(at));
    default:
      return limited(bytes, Buffer.alloc(prng.below(64)));
  }
}

/**
 * Writes an interesting integer of one, two, four or eight bytes at `at`, as far as there is room.
 */
export function writeInteger(
  prng: Prng,
  bytes: Buffer,
  at: number,
  widthBytes = 1 << prng.below(4),
): void {
  const value = INTERESTING[prng.below(INTERESTING.length)] as bigint;
  const scratch = Buffer.alloc(8);
  scratch.writeBigUInt64LE(value);
  scratch.copy(bytes, at, 0, Math.min(widthBytes, bytes.length - at));
}

export function pick<T>(prng: Prng, values: readonly T[]): T {
  return values[prng.below(values.length)] as T;
}

function piece(prng: Prng, bytes: Uint8Array): Buffer {
  const start = prng.below(bytes.length + 1);
  return Buffer.from(bytes.subarray(start, start + prng.below(bytes.length - start + 1)));
}

function limited(...parts: Uint8Array[]): Buffer {
  return Buffer.concat(parts).subarray(0, MOST_BYTES);
}
