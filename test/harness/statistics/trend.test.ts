import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Prng } from '../../../harness/prng.ts';
import { resampledIndexes } from '../../../harness/statistics/block-bootstrap.ts';
import { theilSen } from '../../../harness/statistics/theil-sen.ts';
import {
  estimateChange,
  estimateChangeOfRuns,
  estimateGrowth,
  estimateTrend,
} from '../../../harness/statistics/trend.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Uneven x, and noise that remembers the sample before it, as memory does. */
function noisyLine(seed: number, count: number, slope: number, noise: number) {
  const prng = Prng.seeded(seed);
  const unit = () => prng.nextUint32() / 2 ** 32;
  let [x, carried] = [0, 0];
  return Array.from({ length: count }, () => {
    x += 1 + unit();
    carried = carried * 0.5 + (unit() - 0.5) * noise;
    return { x, y: 1000 + slope * x + carried };
  });
}

test('the slope of a line is found exactly, whatever a quarter of its points is', () => {
  const lines = fc.record({
    slope: fc.integer({ min: -50, max: 50 }),
    intercept: fc.integer({ min: -50, max: 50 }),
    count: fc.integer({ min: 12, max: 30 }),
    wild: fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 30 }),
  });
  fc.assert(
    fc.property(lines, ({ slope, intercept, count, wild }) => {
      const xs = Array.from({ length: count }, (_, index) => index);
      const spoiled = Math.floor(count / 5);
      const ys = xs.map((x) =>
        x % 5 === 4 && x / 5 < spoiled ? (wild[x] ?? 1e5) : intercept + slope * x,
      );
      expect(theilSen(xs, ys).slope).toBeCloseTo(slope, 6);
    }),
  );
});

test('points above each other have no slope', () => {
  expect(() => theilSen([1, 1, 1], [1, 2, 3])).toThrow(RangeError);
  expect(
    estimateTrend(
      [1, 2, 3].map((y) => ({ x: 1, y })),
      1,
    ),
  ).toBeUndefined();
});

test('blocks hold neighbours, and cover the length', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 500 }), (seed, length) => {
      const indexes = resampledIndexes(length, Prng.seeded(seed));
      expect(indexes).toHaveLength(length);
      for (const index of indexes) expect(index >= 0 && index < length).toBe(true);
      const steps = indexes
        .slice(1)
        .filter((index, at) => index === (indexes[at] as number) + 1).length;
      if (length > 8) expect(steps).toBeGreaterThan(length / 2);
    }),
  );
});

test('the same points and seed give the same interval', () => {
  const points = noisyLine(1, 40, 0.2, 5);
  expect(estimateTrend(points, 7)).toEqual(estimateTrend(points, 7));
});

test('a leak lies above the budget in every one of fifty series, and noise alone in none', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const [leaking, clean] = [noisyLine(seed, 24, 4, 20), noisyLine(seed, 24, 0, 20)];
    const isCaught = (points: typeof clean) => {
      const trend = estimateTrend(points, seed);
      return [trend?.slope.lower, trend?.plateauSlope.lower].every((lower) => (lower ?? 0) > 2);
    };
    expect([isCaught(leaking), isCaught(clean)]).toEqual([true, false]);
  }
});

test('many points take no longer than a few, and say the same', () => {
  const trend = estimateTrend(noisyLine(3, 20_000, 2, 50), 1);
  expect(trend?.slope.value).toBeCloseTo(2, 1);
  expect(trend?.slope.lower).toBeLessThanOrEqual(trend?.slope.value as number);
});

test('growth and change are shares of what was before', () => {
  const rising = Array.from({ length: 31 }, (_, x) => ({ x, y: 10 + x }));
  const growth = estimateGrowth(rising, 1);
  expect(growth?.ofLine.value).toBeCloseTo(3, 6);
  expect(growth?.ofThirds.value).toBeCloseTo(35.5 / 14.5 - 1, 6);
  const flat = estimateGrowth(noisyLine(2, 40, 0, 100), 1);
  expect(flat?.ofLine.upper).toBeLessThan(0.5);
  expect(estimateChange([10, 10, 10, 10], [12, 12, 12, 12], 1)?.value).toBeCloseTo(0.2, 9);
  expect(estimateChange([], [1], 1)).toBeUndefined();
  expect(estimateChange([0, 0], [1, 1], 1)).toBeUndefined();
});

/** A machine that is slow now and then, for a tenth of the run at a time, and jitter on top. */
function restlessRun(seed: number, level: number, restlessness: number): number[] {
  const prng = Prng.seeded(seed);
  const unit = () => prng.nextUint32() / 2 ** 32;
  let speed = 1;
  return Array.from({ length: 80 }, (_, index) => {
    if (index % 8 === 0) speed = 1 + restlessness * unit();
    return level * speed * (0.97 + 0.06 * unit());
  });
}

test('of two runs of the same on a restless machine, one in a hundred differs by more than it may; 20 % on a calm one is seen', () => {
  const alarms = (restlessness: number, factor: number) =>
    Array.from({ length: 200 }, (_, seed) => {
      const base = restlessRun(2 * seed, 100, restlessness);
      const head = restlessRun(2 * seed + 1, 100 * factor, restlessness);
      return (estimateChangeOfRuns(base, head, seed)?.lower ?? 0) > 0.1;
    }).filter(Boolean).length;
  expect(alarms(0.5, 1)).toBeLessThanOrEqual(2);
  expect(alarms(0.02, 1)).toBe(0);
  expect(alarms(0.02, 1.2)).toBeGreaterThanOrEqual(195);
});
