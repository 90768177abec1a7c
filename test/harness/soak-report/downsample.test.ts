import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { downsample } from '../../../harness/soak/report/drawing/downsample.ts';

const measured = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -1e9, max: 1e9, noNaN: true }) },
  fc.constant(Number.NaN),
);
const columns = fc
  .record({
    gapsS: fc.array(fc.double({ min: 1e-3, max: 50, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
    }),
  })
  .chain(({ gapsS }) => {
    let sumS = 0;
    const elapsedS = gapsS.map((gapS) => {
      sumS += gapS;
      return sumS;
    });
    const column = fc.array(measured, { minLength: gapsS.length, maxLength: gapsS.length });
    return fc.record({
      elapsedS: fc.constant(elapsedS),
      values: fc.array(column, { minLength: 1, maxLength: 3 }),
    });
  });

const numbers = (values: readonly (number | null)[]) =>
  values.filter((value) => value !== null && !Number.isNaN(value));

describe('what is drawn of many samples', () => {
  test('has the least and the most of every column, in at most two ascending moments a bucket', () => {
    fc.assert(
      fc.property(columns, fc.integer({ min: 1, max: 40 }), (all, buckets) => {
        const drawn = downsample(all, buckets);
        expect(drawn.elapsedS.length).toBeLessThanOrEqual(buckets * 2);
        expect(drawn.elapsedS).toEqual([...new Set(drawn.elapsedS)].sort((a, b) => a - b));
        all.values.forEach((column, index) => {
          const shown = numbers(drawn.values[index] ?? []) as number[];
          const real = numbers(column) as number[];
          expect(drawn.values[index]).toHaveLength(drawn.elapsedS.length);
          expect(Math.max(...shown)).toBe(Math.max(...real));
          expect(Math.min(...shown)).toBe(Math.min(...real));
        });
      }),
    );
  });

  test('is everything when there is little', () => {
    const drawn = downsample({ elapsedS: [1, 2, 3], values: [[5, Number.NaN, 7]] }, 2);
    expect(drawn).toEqual({ elapsedS: [1, 2, 3], values: [[5, null, 7]] });
  });

  test('keeps a spike of one sample, where it was', () => {
    const elapsedS = Array.from({ length: 43_200 }, (_, index) => index + 1);
    const values = [elapsedS.map((second) => (second === 20_001 ? 900 : 5))];
    const drawn = downsample({ elapsedS, values }, 600);
    const at = drawn.elapsedS[(drawn.values[0] as number[]).indexOf(900)] as number;
    expect(Math.abs(at - 20_001)).toBeLessThanOrEqual(43_200 / 600);
  });
});
