import { median } from 'simple-statistics';

export interface Line {
  readonly slope: number;
  /** The y of the line where x is 0. */
  readonly intercept: number;
}

/**
 * The line through the median of the slopes of all pairs (Theil 1950, Sen 1968): up to 29 % of the
 * points may be anything. At least two different x. Takes time and memory with the square of the
 * number of points: a few hundred.
 */
export function theilSen(xs: readonly number[], ys: readonly number[]): Line {
  const slopes: number[] = [];
  for (let later = 1; later < xs.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const distance = (xs[later] as number) - (xs[earlier] as number);
      if (distance !== 0) slopes.push(((ys[later] as number) - (ys[earlier] as number)) / distance);
    }
  }
  if (slopes.length === 0) throw new RangeError('a slope needs two different x');
  const slope = median(slopes);
  return { slope, intercept: median(xs.map((x, index) => (ys[index] as number) - slope * x)) };
}
