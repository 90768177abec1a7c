import { installedPart } from '../host/installed-part.ts';
import { runtime } from '../host/runtime.ts';
import { crc32cInJavaScript, remainderOf } from './crc32c-javascript.ts';

/**
 * CRC-32C (Castagnoli, RFC 3720). @node-rs/crc32 is prebuilt, and what everybody gets. Whoever
 * installs fast-crc32c as well gets its native half, which is faster and is compiled at install;
 * where that did not happen it falls back, silently, to JavaScript at a twentieth of the speed. So
 * this module looks at which half it got, and believes none of them before it has reproduced the
 * vectors of the RFC.
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

/** The candidates in order of speed, where they work at all. */
const CANDIDATES: readonly ChecksumCandidate[] = [
  {
    name: 'fast-crc32c (native)',
    load: () => {
      if (!runtime.loadsNodeAddons) throw new Error(`${runtime.name} cannot load it`);
      const chosen = installedPart('fast-crc32c');
      if (chosen === installedPart('fast-crc32c/impls/js_crc32c'))
        throw new Error('its native half is not built');
      return chosen.calculate;
    },
  },
  { name: '@node-rs/crc32', load: () => installedPart('@node-rs/crc32').crc32c },
  { name: 'JavaScript', load: () => crc32cInJavaScript },
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

let chosen: ChecksumImplementation | undefined;

/** Chosen when it is first needed: loading native code takes longer than importing the engine. */
function implementation(): ChecksumImplementation {
  chosen ??= chooseChecksum();
  return chosen;
}

/** Which implementation this process uses for long runs of bytes. */
export function checksumName(): string {
  return implementation().name;
}

/**
 * Up to here the calculation is faster in JavaScript than the way to native code: right behind a
 * system call, when its instructions are no longer cached, that way alone takes longer than a frame
 * of a few hundred bytes.
 */
const SHORT_BYTES = 320;

/** Unsigned CRC-32C of `bytes`, continuing from the checksum of what precedes them. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return bytes.length > SHORT_BYTES
    ? implementation().crc32c(bytes, previous)
    : crc32cInJavaScript(bytes, previous);
}

/** Unsigned CRC-32C of the bytes of `view` in `[start, end)`. */
export function crc32cOfRange(view: DataView, start: number, end: number): number {
  if (end - start > SHORT_BYTES) {
    return crc32c(new Uint8Array(view.buffer, view.byteOffset + start, end - start));
  }
  return ~remainderOf(view, start, end, -1) >>> 0;
}
