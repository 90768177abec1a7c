import { createRequire } from 'node:module';

/**
 * CRC-32C (Castagnoli, RFC 3720). fast-crc32c compiles a native half at install; where that did not
 * happen it falls back, silently, to JavaScript at a twentieth of the speed. So this module looks
 * at which half it got, prefers the prebuilt @node-rs/crc32 over the slow one, and believes none of
 * them before it has reproduced the vectors of the RFC.
 */
export type Crc32cFunction = (bytes: Uint8Array, previous?: number) => number;

export interface ChecksumCandidate {
  readonly name: string;
  /** Throws when the implementation is not usable on this machine. */
  readonly load: () => Crc32cFunction;
}

export interface ChecksumImplementation {
  readonly name: string;
  readonly crc32c: Crc32cFunction;
}

/** RFC 3720, appendix B.4. */
const RFC_3720_VECTORS: readonly (readonly [Uint8Array, number])[] = [
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  [
    // An iSCSI Read (10) command.
    Buffer.from(
      '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' +
        '0200000000000000',
      'hex',
    ),
    0xd9963a56,
  ],
];

const require = createRequire(import.meta.url);

/** The candidates in order of speed, where they work at all. */
const CANDIDATES: readonly ChecksumCandidate[] = [
  {
    name: 'fast-crc32c (native)',
    load: () => {
      const chosen = require('fast-crc32c');
      if (chosen === require('fast-crc32c/impls/js_crc32c'))
        throw new Error('its native half is not built');
      return chosen.calculate;
    },
  },
  { name: '@node-rs/crc32', load: () => require('@node-rs/crc32').crc32c },
  {
    name: 'fast-crc32c (JavaScript)',
    load: () => require('fast-crc32c/impls/js_crc32c').calculate,
  },
];

/** The first candidate that loads and reproduces every vector, whole and in two pieces. */
export function chooseChecksum(
  candidates: readonly ChecksumCandidate[] = CANDIDATES,
): ChecksumImplementation {
  const refusals: string[] = [];
  for (const { name, load } of candidates) {
    try {
      const crc32c = load();
      const wrong = RFC_3720_VECTORS.some(
        ([bytes, expected]) =>
          crc32c(bytes) !== expected ||
          crc32c(bytes.subarray(7), crc32c(bytes.subarray(0, 7))) !== expected,
      );
      if (!wrong) return { name, crc32c };
      refusals.push(`${name}: does not reproduce the RFC 3720 vectors`);
    } catch (error) {
      refusals.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`no usable CRC-32C implementation (${refusals.join('; ')})`);
}

const chosen = chooseChecksum();

export const checksumName: string = chosen.name;

/** Unsigned CRC-32C of `bytes`, continuing from the checksum of what precedes them. */
export const crc32c: Crc32cFunction = chosen.crc32c;

/** Castagnoli's, lowest bit first. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

/**
 * Up to here the calculation is faster in JavaScript than the way to native code: right behind a
 * system call, when its instructions are no longer cached, that way alone takes longer than a frame
 * of a few hundred bytes.
 */
const SHORT_BYTES = 320;

/**
 * Tables for eight places behind the current one: what a byte there adds to the remainder ("slicing
 * by 8").
 */
const TABLES = makeTables();

/** Unsigned CRC-32C of the bytes of `view` in `[start, end)`. */
export function crc32cOfRange(view: DataView, start: number, end: number): number {
  if (end - start > SHORT_BYTES) {
    return crc32c(new Uint8Array(view.buffer, view.byteOffset + start, end - start));
  }
  const table = TABLES;
  let crc = -1;
  let at = start;
  for (const slicesEnd = start + ((end - start) & ~7); at < slicesEnd; at += 8) {
    const low = view.getInt32(at, true) ^ crc;
    const high = view.getInt32(at + 4, true);
    // In pairs: in one row each step would wait for the one before it.
    crc =
      (table[0x700 + (low & 0xff)] as number) ^
      (table[0x600 + ((low >>> 8) & 0xff)] as number) ^
      ((table[0x500 + ((low >>> 16) & 0xff)] as number) ^ (table[0x400 + (low >>> 24)] as number)) ^
      ((table[0x300 + (high & 0xff)] as number) ^
        (table[0x200 + ((high >>> 8) & 0xff)] as number) ^
        ((table[0x100 + ((high >>> 16) & 0xff)] as number) ^ (table[high >>> 24] as number)));
  }
  if (end - at >= 4) {
    const rest = view.getInt32(at, true) ^ crc;
    crc =
      (table[0x300 + (rest & 0xff)] as number) ^
      (table[0x200 + ((rest >>> 8) & 0xff)] as number) ^
      ((table[0x100 + ((rest >>> 16) & 0xff)] as number) ^ (table[rest >>> 24] as number));
    at += 4;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (table[(crc ^ view.getUint8(at)) & 0xff] as number);
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ REVERSED_POLYNOMIAL;
    }
    tables[byte] = remainder;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}
