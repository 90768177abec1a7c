import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differencesOutside, mannWhitney } from '../../bench/measuring/mann-whitney.ts';

describe('the test of Mann and Whitney', () => {
  test('gives the published values of an exact test without ties', () => {
    // Ages at diagnosis of diabetes, from the documentation of scipy.stats.mannwhitneyu.
    const { u, p } = mannWhitney([19, 22, 16, 29, 24], [20, 11, 17, 12]);
    expect(u).toBe(17);
    expect(p).toBeCloseTo(0.1111111, 6);
  });

  test('gives the published values of permeability constants', () => {
    // Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, page 69; one-sided 0.1272 in
    // R's wilcox.test.
    const term = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const { u, p } = mannWhitney(term, [1.15, 0.88, 0.9, 0.74, 1.21]);
    expect(u).toBe(35);
    expect(p / 2).toBeCloseTo(0.1272, 4);
  });

  test('agrees with the table of critical values at 5 % (two-sided)', () => {
    // The largest U that is significant: 2 for 5 and 5, 23 for 10 and 10.
    for (const [size, critical] of [
      [5, 2],
      [10, 23],
    ] as const) {
      expect(mannWhitney(...samplesWithU(size, critical)).p).toBeLessThanOrEqual(0.05);
      expect(mannWhitney(...samplesWithU(size, critical + 1)).p).toBeGreaterThan(0.05);
    }
  });

  test('is exact with ties: it counts the ways to deal the pooled values', () => {
    const values = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(values, values, (first, second) => {
        const observed = mannWhitney(first, second);
        const us = dealings([...first, ...second], first.length).map(([a, b]) => pairwiseU(a, b));
        const share = (holds: (u: number) => boolean) => us.filter(holds).length / us.length;
        const smaller = Math.min(
          share((u) => u <= observed.u),
          share((u) => u >= observed.u),
        );
        expect(observed.u).toBe(pairwiseU(first, second));
        expect(observed.p).toBeCloseTo(Math.min(1, 2 * smaller), 10);
      }),
    );
  });

  test('does not care which sample comes first', () => {
    const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(values, values, (first, second) => {
        expect(mannWhitney(first, second).p).toBeCloseTo(mannWhitney(second, first).p, 10);
      }),
    );
  });
});

test('the interval for the shift leaves out as many differences as published', () => {
  // Hollander and Wolfe's table for 95 %: C = 18 + 1 - 18 of 5 x 5 leaves 2 at each end; none can
  // be left of 3 x 3.
  expect(differencesOutside(5, 5, 0.95)).toBe(3 - 1 + 1);
  expect(differencesOutside(3, 3, 0.95)).toBe(0);
});

/** Two samples without ties, the first of which is larger in exactly `u` pairs. */
function samplesWithU(size: number, u: number): [number[], number[]] {
  const second = Array.from({ length: size }, (_, index) => 10 * (index + 1));
  const first = Array.from({ length: size }, (_, index) => {
    const wins = Math.min(size, Math.max(0, u - size * index));
    return 10 * wins + 1 + index / size;
  });
  return [first, second];
}

function pairwiseU(first: readonly number[], second: readonly number[]): number {
  return first
    .flatMap((a) => second.map((b): number => (a > b ? 1 : a === b ? 0.5 : 0)))
    .reduce((x, y) => x + y);
}

/** Every way to deal `values` to a first sample of `count` and a second one. */
function dealings(values: readonly number[], count: number): [number[], number[]][] {
  if (values.length === 0) return [[[], []]];
  const [value = 0, ...rest] = values;
  const ways: [number[], number[]][] = [];
  if (count > 0) for (const [a, b] of dealings(rest, count - 1)) ways.push([[value, ...a], b]);
  if (rest.length >= count)
    for (const [a, b] of dealings(rest, count)) ways.push([a, [value, ...b]]);
  return ways;
}
