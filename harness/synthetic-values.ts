import { firstDifference, type KeyedValues, printableKey } from './keyed-values.ts';
import { mix32, Prng } from './prng.ts';

/**
 * Sizes from `leastBytes` to `mostBytes`, inclusive, as often as `share` says beside the other
 * classes.
 */
export interface SizeClass {
  readonly share: number;
  /** The least length; at least 16, which the header of a value takes. */
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Around 100 B, 4 KiB and 64 KiB; 4,370 bytes on average. */
const DEFAULT_SIZES: readonly SizeClass[] = [
  { share: 70, leastBytes: 64, mostBytes: 136 },
  { share: 25, leastBytes: 2_048, mostBytes: 6_144 },
  { share: 5, leastBytes: 32_768, mostBytes: 98_304 },
];

/**
 * Every value begins with key number, version, size and a checksum of the three with the seed, 4
 * bytes each, little-endian: a wrong value can then say whose it is. The rest is a slice of the
 * pad.
 */
const HEADER_BYTES = 16;
/** Slices start anywhere in this much of the pad; a power of two. */
const PAD_STARTS = 256 * 1024;

const KEY_PREFIX = 'key-';
const KEY_DIGITS = 12;

/**
 * Values that are a pure function of seed, key number and version, made and compared at the speed
 * of a copy.
 */
export class SyntheticValues implements KeyedValues {
  readonly keyCount: number;
  private readonly seed: number;
  private readonly pad: Buffer;
  private readonly sizes: readonly SizeClass[];
  private readonly totalShare: number;

  /** `seed`: an integer from 0 to 2^32 - 1. `keyCount`: at most 2^32. */
  constructor(seed: number, keyCount: number, sizes: readonly SizeClass[] = DEFAULT_SIZES) {
    this.seed = mix32(seed);
    this.keyCount = keyCount;
    this.sizes = sizes;
    this.totalShare = sizes.reduce((total, { share }) => total + share, 0);
    const longestBytes = Math.max(...sizes.map(({ mostBytes }) => mostBytes));
    const words = new Uint32Array(Math.ceil((PAD_STARTS + longestBytes) / 4));
    const prng = Prng.seeded(seed);
    for (let index = 0; index < words.length; index++) words[index] = prng.nextUint32();
    this.pad = Buffer.from(words.buffer);
  }

  keyOf(keyNumber: number): Buffer {
    return Buffer.from(KEY_PREFIX + String(keyNumber).padStart(KEY_DIGITS, '0'), 'latin1');
  }

  numberOf(key: Uint8Array): number | undefined {
    if (key.length !== KEY_PREFIX.length + KEY_DIGITS) return undefined;
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
    if (!text.startsWith(KEY_PREFIX) || !/^\d+$/.test(text.slice(KEY_PREFIX.length)))
      return undefined;
    const keyNumber = Number(text.slice(KEY_PREFIX.length));
    return keyNumber < this.keyCount ? keyNumber : undefined;
  }

  nameOf(version: number): string {
    return `version ${version}`;
  }

  sizeBytesOf(keyNumber: number, version: number): number {
    const hash = this.hash(keyNumber, version, 1);
    let left = (hash / 2 ** 32) * this.totalShare;
    const found = this.sizes.find(({ share }) => {
      left -= share;
      return left < 0;
    });
    const { leastBytes, mostBytes } = found ?? (this.sizes[0] as SizeClass);
    return leastBytes + (mix32(hash) % (mostBytes - leastBytes + 1));
  }

  valueOf(keyNumber: number, version: number): Buffer {
    const sizeBytes = this.sizeBytesOf(keyNumber, version);
    const value = Buffer.allocUnsafe(sizeBytes);
    value.writeUInt32LE(keyNumber, 0);
    value.writeUInt32LE(version, 4);
    value.writeUInt32LE(sizeBytes, 8);
    value.writeUInt32LE(this.checksum(keyNumber, version, sizeBytes), 12);
    const start = this.padStart(keyNumber, version);
    this.pad.copy(value, HEADER_BYTES, start, start + sizeBytes - HEADER_BYTES);
    return value;
  }

  /** The version of this key that `bytes` are the value of; undefined when of none. */
  versionIn(keyNumber: number, bytes: Uint8Array): number | undefined {
    if (bytes.length < HEADER_BYTES) return undefined;
    const version = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES).getUint32(4, true);
    return this.isValue(keyNumber, version, bytes) ? version : undefined;
  }

  differenceFrom(keyNumber: number, version: number, bytes: Uint8Array): string | undefined {
    if (this.isValue(keyNumber, version, bytes)) return undefined;
    const expected = this.valueOf(keyNumber, version);
    const at = firstDifference(expected, bytes);
    return `${this.describe(keyNumber, bytes)}, ${bytes.length} bytes; version ${version} has ${expected.length} bytes and differs from byte ${at} on`;
  }

  private isValue(keyNumber: number, version: number, bytes: Uint8Array): boolean {
    const sizeBytes = this.sizeBytesOf(keyNumber, version);
    if (bytes.length !== sizeBytes) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
    if (view.getUint32(0, true) !== keyNumber || view.getUint32(4, true) !== version) return false;
    if (view.getUint32(8, true) !== sizeBytes) return false;
    if (view.getUint32(12, true) !== this.checksum(keyNumber, version, sizeBytes)) return false;
    const start = this.padStart(keyNumber, version);
    const end = start + sizeBytes - HEADER_BYTES;
    return this.pad.compare(bytes, HEADER_BYTES, sizeBytes, start, end) === 0;
  }

  private describe(keyNumber: number, bytes: Uint8Array): string {
    if (bytes.length < HEADER_BYTES) return 'bytes that were never put';
    const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
    const [owner, version, sizeBytes] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [
      number,
      number,
      number,
    ];
    if (view.getUint32(12, true) !== this.checksum(owner, version, sizeBytes))
      return 'bytes that were never put';
    const whose = owner === keyNumber ? 'the same key' : printableKey(this.keyOf(owner));
    return `${this.isValue(owner, version, bytes) ? '' : 'a damaged '}version ${version} of ${whose}`;
  }

  private hash(keyNumber: number, version: number, purpose: number): number {
    return mix32((mix32((mix32((this.seed + purpose) >>> 0) + keyNumber) >>> 0) + version) >>> 0);
  }

  private padStart(keyNumber: number, version: number): number {
    return this.hash(keyNumber, version, 2) & (PAD_STARTS - 1);
  }

  private checksum(keyNumber: number, version: number, sizeBytes: number): number {
    return mix32((this.hash(keyNumber, version, 3) + sizeBytes) >>> 0);
  }
}
