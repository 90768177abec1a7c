import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SyntheticValues } from '../../harness/synthetic-values.ts';

const SEED = 42;
const KEYS = 1000;
const values = new SyntheticValues(SEED, KEYS);
const keyNumbers = fc.integer({ min: 0, max: KEYS - 1 });
const versions = fc.integer({ min: 1, max: 2 ** 32 - 1 });

test('a value is a pure function of seed, key and version', () => {
  fc.assert(
    fc.property(keyNumbers, versions, (keyNumber, version) => {
      const value = values.valueOf(keyNumber, version);
      expect(value.length).toBe(values.sizeBytesOf(keyNumber, version));
      expect(value.equals(new SyntheticValues(SEED, KEYS).valueOf(keyNumber, version))).toBe(true);
      expect(value.equals(new SyntheticValues(SEED + 1, KEYS).valueOf(keyNumber, version))).toBe(
        false,
      );
      expect(values.differenceFrom(keyNumber, version, value)).toBeUndefined();
    }),
    { numRuns: 30 },
  );
});

test('any damaged byte, any other length and any other version is a difference', () => {
  fc.assert(
    fc.property(
      keyNumbers,
      versions,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (keyNumber, version, at, flip) => {
        const value = values.valueOf(keyNumber, version);
        const index = at % value.length;
        const damaged = Buffer.from(value);
        damaged[index] = (value[index] as number) ^ flip;
        expect(values.differenceFrom(keyNumber, version, damaged)).toContain(
          `differs from byte ${index} on`,
        );
        expect(values.differenceFrom(keyNumber, version, value.subarray(0, index))).toBeDefined();
        expect(
          values.differenceFrom(keyNumber, version, Buffer.concat([value, value])),
        ).toBeDefined();
        const other = values.valueOf(keyNumber, version === 1 ? 2 : version - 1);
        expect(values.differenceFrom(keyNumber, version, other)).toMatch(
          /^version \d+ of the same key/,
        );
      },
    ),
  );
});

test('a difference says whose value it is', () => {
  expect(values.differenceFrom(1, 5, values.valueOf(2, 3))).toMatch(
    /^version 3 of "key-000000000002", \d+ bytes/,
  );
  expect(values.differenceFrom(1, 5, Buffer.alloc(100))).toMatch(
    /^bytes that were never put, 100 bytes/,
  );
  expect(values.differenceFrom(1, 5, Buffer.alloc(0))).toMatch(
    /^bytes that were never put, 0 bytes/,
  );
});

test('keys lead back to their numbers, and nothing else does', () => {
  fc.assert(
    fc.property(keyNumbers, (keyNumber) => values.numberOf(values.keyOf(keyNumber)) === keyNumber),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (key) => {
      const keyNumber = values.numberOf(key);
      return keyNumber === undefined || values.keyOf(keyNumber).equals(key);
    }),
  );
  expect(values.numberOf(values.keyOf(KEYS))).toBeUndefined();
});

test('seventy in a hundred values are small, twenty-five medium and five large', () => {
  const sizes = Array.from({ length: 20_000 }, (_, index) =>
    values.sizeBytesOf(index % KEYS, index + 1),
  );
  const share = (least: number, most: number) =>
    sizes.filter((size) => size >= least && size <= most).length / sizes.length;
  expect(share(64, 136)).toBeCloseTo(0.7, 1);
  expect(share(2_048, 6_144)).toBeCloseTo(0.25, 1);
  expect(share(32_768, 98_304)).toBeCloseTo(0.05, 1);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  expect(mean).toBeGreaterThan(4_000);
  expect(mean).toBeLessThan(4_750);
});
