import type { KeyedValues } from '../keyed-values.ts';
import { mix32 } from '../prng.ts';
import { type SizeClass, SyntheticValues } from '../synthetic-values.ts';

/**
 * What a key holds: the version whose value it is, or one of the two below. Versions begin with 1.
 */
export type Outcome = number;
export const ABSENT: Outcome = 0;
/** All empty values are alike, whichever version they are. */
export const EMPTY: Outcome = -1;

/** Keys that stores are known to trip over; plain ones follow. */
const HOSTILE_KEYS: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['the empty key', Buffer.alloc(0)],
  ['__proto__', Buffer.from('__proto__')],
  ['constructor', Buffer.from('constructor')],
  ['every byte once', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  // Decoded as UTF-8 and encoded again, these two are the same key.
  ['no UTF-8', Buffer.from([0x6b, 0xff])],
  ['no UTF-8 either', Buffer.from([0x6b, 0xfe])],
  ['a zero byte', Buffer.from([0])],
  ['a zero byte behind another key', Buffer.from([0x6b, 0x00])],
  ['line feeds and quotes', Buffer.from('\r\n"\\\u2028\'')],
  ['a way up', Buffer.from('../../key')],
  ['a slash', Buffer.from('a/b')],
  ['highest bytes', Buffer.alloc(3, 0xff)],
  ['a long key', Buffer.from('long/'.repeat(200))],
  // As numbers they would come in another order than as bytes.
  ['a number', Buffer.from('10')],
  ['a smaller number', Buffer.from('9')],
  ['upper case', Buffer.from('KEY')],
  ['lower case', Buffer.from('key')],
];
const HOSTILE_NUMBERS: ReadonlyMap<string, number> = new Map(
  HOSTILE_KEYS.map(([, bytes], number) => [bytes.toString('latin1'), number]),
);
export const HOSTILE_KEY_COUNT = HOSTILE_KEYS.length;

/** What the values of a workload may be; found out by a probe of the store. */
export interface ValueLimits {
  readonly takesEmpty: boolean;
  readonly takesLarge: boolean;
}

export const ANY_VALUE: ValueLimits = { takesEmpty: true, takesLarge: true };

const SMALL: readonly SizeClass[] = [
  { share: 60, leastBytes: 16, mostBytes: 90 },
  { share: 30, leastBytes: 100, mostBytes: 700 },
  { share: 8, leastBytes: 4_000, mostBytes: 9_000 },
];
const LARGE: SizeClass = { share: 2, leastBytes: 70_000, mostBytes: 90_000 };
const EMPTY_ONE_IN = 11;

/** Keys and values that a store must take unless it says that it does not. */
export class HostileValues implements KeyedValues {
  readonly keyCount: number;
  private readonly seed: number;
  private readonly limits: ValueLimits;
  private readonly values: SyntheticValues;

  /** `seed`: an integer from 0 to 2^32 - 1. `keyCount`: at least all the hostile ones. */
  constructor(seed: number, keyCount: number, limits = ANY_VALUE) {
    this.seed = seed;
    this.keyCount = keyCount;
    this.limits = limits;
    this.values = new SyntheticValues(
      seed,
      keyCount,
      limits.takesLarge ? [...SMALL, LARGE] : SMALL,
    );
  }

  /** How a message calls a key. */
  keyName(keyNumber: number): string {
    return HOSTILE_KEYS[keyNumber]?.[0] ?? `key-${keyNumber}`;
  }

  keyOf(keyNumber: number): Buffer {
    // A copy: a store under test may write into what it is given.
    return Buffer.from(HOSTILE_KEYS[keyNumber]?.[1] ?? `key-${keyNumber}`);
  }

  numberOf(key: Uint8Array): number | undefined {
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
    const hostile = HOSTILE_NUMBERS.get(text);
    if (hostile !== undefined) return hostile;
    const digits = /^key-([1-9]\d{0,8})$/.exec(text)?.[1];
    if (digits === undefined) return undefined;
    const number = Number(digits);
    return number >= HOSTILE_KEY_COUNT && number < this.keyCount ? number : undefined;
  }

  nameOf(version: number): string {
    return `version ${version}`;
  }

  valueOf(keyNumber: number, version: number): Buffer {
    return this.isEmpty(keyNumber, version)
      ? Buffer.alloc(0)
      : this.values.valueOf(keyNumber, version);
  }

  sizeBytesOf(keyNumber: number, version: number): number {
    return this.isEmpty(keyNumber, version) ? 0 : this.values.sizeBytesOf(keyNumber, version);
  }

  differenceFrom(keyNumber: number, version: number, bytes: Uint8Array): string | undefined {
    if (!this.isEmpty(keyNumber, version))
      return this.values.differenceFrom(keyNumber, version, bytes);
    return bytes.length === 0 ? undefined : `${bytes.length} bytes; version ${version} is empty`;
  }

  /** What a write of this version leaves; version 0 is a delete. */
  outcomeOf(keyNumber: number, version: number): Outcome {
    if (version === ABSENT) return ABSENT;
    return this.isEmpty(keyNumber, version) ? EMPTY : version;
  }

  /** What a key holds that has these bytes; undefined when no version of it has them. */
  outcomeIn(keyNumber: number, bytes: Uint8Array | undefined): Outcome | undefined {
    if (bytes === undefined) return ABSENT;
    return bytes.length === 0 ? EMPTY : this.values.versionIn(keyNumber, bytes);
  }

  private isEmpty(keyNumber: number, version: number): boolean {
    if (!this.limits.takesEmpty) return false;
    return (
      mix32((mix32((this.seed ^ 0x656d7074) >>> 0) + mix32(keyNumber) + version) >>> 0) %
        EMPTY_ONE_IN ===
      0
    );
  }
}
