import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mix32, Prng } from '../../harness/prng.ts';

test('the generator gives the sequence of the reference implementation', () => {
  const prng = new Prng([1, 2, 3, 4]);
  expect(Array.from({ length: 8 }, () => prng.nextUint32())).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849,
  ]);
});

test('neighbouring seeds have different streams, and a seed always the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 }), (seed) => {
      const take = (from: number) => {
        const prng = Prng.seeded(from);
        return Array.from({ length: 4 }, () => prng.nextUint32());
      };
      expect(take(seed)).toEqual(take(seed));
      expect(take(seed)).not.toEqual(take(seed + 1));
    }),
  );
});

test('numbers below a limit are integers within it, and fill it evenly', () => {
  const prng = Prng.seeded(1);
  const counts = new Array(10).fill(0);
  for (let draw = 0; draw < 10_000; draw++) counts[prng.below(10)]++;
  // Six standard deviations; the seed is fixed.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(180);
});

test('mixing maps no two integers to one', () => {
  const seen = new Set(Array.from({ length: 100_000 }, (_, value) => mix32(value)));
  expect(seen.size).toBe(100_000);
});
