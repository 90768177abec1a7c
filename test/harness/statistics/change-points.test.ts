import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findChangePoints } from '../../../harness/statistics/change-points.ts';

const around = (level: number, count: number) =>
  fc.array(fc.integer({ min: level - 3, max: level + 3 }), { minLength: count, maxLength: count });

test('one step is found where it is, with its size', () => {
  fc.assert(
    fc.property(around(100, 12), around(150, 12), (before, after) => {
      const [point, ...others] = findChangePoints([...before, ...after], 0.1);
      expect(others).toEqual([]);
      expect(point?.index).toBe(12);
      expect(point?.change).toBeCloseTo(0.5, 0);
    }),
  );
});

test('a level with noise has no change points, nor has a short series', () => {
  fc.assert(
    fc.property(around(100, 30), (values) => {
      expect(findChangePoints(values, 0.1)).toEqual([]);
    }),
  );
  expect(findChangePoints([1, 1, 1, 9, 9, 9], 0.1)).toEqual([]);
});

test('there and back are two', () => {
  const level = (value: number) => Array(15).fill(value);
  const values = [...level(10), ...level(20), ...level(10)];
  expect(findChangePoints(values, 0.1).map(({ index }) => index)).toEqual([15, 30]);
});
