import { median } from 'simple-statistics';

export interface ChangePoint {
  /** The first value of the new level. */
  readonly index: number;
  /** The median after over the median before, less one. */
  readonly change: number;
  /** That a series without a change looks like this. */
  readonly pValue: number;
}

/** Fewer than this on either side are no level. */
const LEAST_SEGMENT = 4;
const MOST_P_VALUE = 0.005;
const SHRINK = Math.SQRT2;

/**
 * Where the level of a series changes: Pettitt's test (1979), which asks only for ranks, in windows
 * of many lengths, as seeded binary segmentation (Kovács et al. 2020) lays them: a level that comes
 * and goes is seen by none of the whole. Changes smaller than `leastChange`, a share, are not told.
 */
export function findChangePoints(values: readonly number[], leastChange: number): ChangePoint[] {
  return search(values, 0, values.length, leastChange).sort((a, b) => a.index - b.index);
}

function search(
  values: readonly number[],
  from: number,
  to: number,
  leastChange: number,
): ChangePoint[] {
  const best = windowsOf(from, to)
    .map(([start, end]) => {
      const { split, pValue } = pettitt(values.slice(start, end));
      return { index: start + split, pValue };
    })
    .filter(({ index }) => index - from >= LEAST_SEGMENT && to - index >= LEAST_SEGMENT)
    .reduce((a, b) => (b.pValue < a.pValue ? b : a), { index: from, pValue: 1 });
  if (best.pValue > MOST_P_VALUE) return [];
  const { index, pValue } = best;
  const earlier = search(values, from, index, leastChange);
  const later = search(values, index, to, leastChange);
  const before = values.slice(Math.max(from, ...earlier.map((point) => point.index)), index);
  const after = values.slice(index, Math.min(to, ...later.map((point) => point.index)));
  const change = median(after) / median(before) - 1;
  return [
    ...earlier,
    ...(Math.abs(change) >= leastChange ? [{ index, change, pValue }] : []),
    ...later,
  ];
}

/** The whole, and shorter and shorter ones that overlap by half. */
function windowsOf(from: number, to: number): (readonly [from: number, to: number])[] {
  const windows: (readonly [number, number])[] = [];
  for (let length = to - from; length >= 2 * LEAST_SEGMENT; length = Math.floor(length / SHRINK)) {
    const count = Math.max(1, Math.ceil((2 * (to - from)) / length) - 1);
    for (let index = 0; index < count; index++) {
      const start =
        count === 1 ? from : from + Math.round((index * (to - from - length)) / (count - 1));
      windows.push([start, start + length]);
    }
  }
  return windows;
}

function pettitt(values: readonly number[]): { split: number; pValue: number } {
  const count = values.length;
  let statistic = 0;
  let highest = 0;
  let split = 0;
  for (let index = 0; index < count; index++) {
    for (const other of values) statistic += Math.sign((values[index] as number) - other);
    if (Math.abs(statistic) > highest) {
      highest = Math.abs(statistic);
      split = index + 1;
    }
  }
  return {
    split,
    pValue: Math.min(1, 2 * Math.exp((-6 * highest ** 2) / (count ** 3 + count ** 2))),
  };
}
