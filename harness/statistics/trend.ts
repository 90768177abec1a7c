import { median, sampleVariance } from 'simple-statistics';
import { Prng } from '../prng.ts';
import { type Interval, percentileInterval, resampledIndexes } from './block-bootstrap.ts';
import { theilSen } from './theil-sen.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Estimate extends Interval {
  readonly value: number;
}

const CONFIDENCE = 0.99;
const DRAWS = 400;
/**
 * More points are brought together to so many medians: the slope needs all pairs of them, at every
 * draw.
 */
const MOST_POINTS = 96;

/**
 * How y goes with x, two ways that fail differently: a leak shows in both, a step or an outlier in
 * one at most.
 */
export interface Trend {
  /** Theil-Sen; y for one of x. */
  readonly slope: Estimate;
  /** The median of the last third less that of the first, for one of x between their middles. */
  readonly plateauSlope: Estimate;
}

/**
 * Undefined when the points do not span anything. The same points and seed give the same answer.
 */
export function estimateTrend(points: readonly Point[], seed: number): Trend | undefined {
  const binned = bin(points);
  const xs = binned.map(({ x }) => x);
  const ys = binned.map(({ y }) => y);
  const { first, last } = thirds(binned);
  const distance = median(last.map(({ x }) => x)) - median(first.map(({ x }) => x));
  if (!(distance > 0)) return undefined;
  const prng = Prng.seeded(seed);
  const line = theilSen(xs, ys);
  const residuals = binned.map(({ x, y }) => y - (line.intercept + line.slope * x));
  const slope = percentileInterval(DRAWS, CONFIDENCE, () => {
    const drawn = resampledIndexes(xs.length, prng).map((from, index) => {
      return line.intercept + line.slope * (xs[index] as number) + (residuals[from] as number);
    });
    return theilSen(xs, drawn).slope;
  });
  const [before, after] = [first, last].map((third) => third.map(({ y }) => y)) as [
    number[],
    number[],
  ];
  const plateau = percentileInterval(DRAWS, CONFIDENCE, () => {
    return (resampledMedian(after, prng) - resampledMedian(before, prng)) / distance;
  });
  return {
    slope: { value: line.slope, ...slope },
    plateauSlope: { value: (median(after) - median(before)) / distance, ...plateau },
  };
}

/**
 * How much higher y ends than it begins, as a share of the beginning, two ways that fail
 * differently.
 */
export interface Growth {
  /** The change of the Theil-Sen line, from the first x to the last. */
  readonly ofLine: Estimate;
  /** The change of the median, from the first third to the last. */
  readonly ofThirds: Estimate;
}

/** Undefined when the points do not span anything, or do not begin above 0. */
export function estimateGrowth(points: readonly Point[], seed: number): Growth | undefined {
  const trend = estimateTrend(points, seed);
  const [begin, end] = [points[0], points.at(-1)];
  const { first, last } = thirds(points);
  const ofThirds = estimateChange(
    first.map(({ y }) => y),
    last.map(({ y }) => y),
    seed,
  );
  if (trend === undefined || ofThirds === undefined || begin === undefined || end === undefined)
    return undefined;
  // The line goes through the medians: where it begins follows from its slope.
  const span = end.x - begin.x;
  const middle = median(points.map(({ y }) => y));
  const rise = (slope: number) => {
    const half = (slope * span) / 2;
    // A line that begins at nothing has grown without bound.
    return half >= middle ? Number.MAX_VALUE : (2 * half) / (middle - half);
  };
  const { value, lower, upper, confidence } = trend.slope;
  return {
    ofLine: { value: rise(value), lower: rise(lower), upper: rise(upper), confidence },
    ofThirds,
  };
}

/** Estimates the median of at least one value. */
export function estimateMedian(values: readonly number[], seed: number): Estimate {
  const prng = Prng.seeded(seed);
  const interval = percentileInterval(DRAWS, CONFIDENCE, () => resampledMedian(values, prng));
  return { value: median([...values]), ...interval };
}

/**
 * `after` over `before`, less one, of two independent series; undefined when there is nothing to
 * divide by.
 */
export function estimateChange(
  before: readonly number[],
  after: readonly number[],
  seed: number,
): Estimate | undefined {
  if (before.length === 0 || after.length === 0 || !(median([...before]) > 0)) return undefined;
  const prng = Prng.seeded(seed);
  const interval = percentileInterval(
    DRAWS,
    CONFIDENCE,
    () => resampledMedian(after, prng) / resampledMedian(before, prng) - 1,
  );
  return { value: median([...after]) / median([...before]) - 1, ...interval };
}

/** Batches per side. */
const BATCHES = 6;
/** Two-sided 99 % of Student's t with 2 * BATCHES - 2 degrees of freedom. */
const T_OF_BATCHES = 3.169;

/**
 * Estimates the change between two runs, one after the other, in the way of `estimateChange`. A
 * machine that is slow for many samples and then fast widens the interval, because it shows between
 * the medians of a few long batches. Each side needs at least BATCHES positive values; the wider of
 * both intervals counts.
 */
export function estimateChangeOfRuns(
  before: readonly number[],
  after: readonly number[],
  seed: number,
): Estimate | undefined {
  const change = estimateChange(before, after, seed);
  const [was, is] = [before, after].map(logMediansOfBatches);
  if (change === undefined || was === undefined || is === undefined) return undefined;
  const error = Math.sqrt((sampleVariance(was) + sampleVariance(is)) / BATCHES);
  const middle = Math.log1p(change.value);
  return {
    ...change,
    lower: Math.min(change.lower, Math.expm1(middle - T_OF_BATCHES * error)),
    upper: Math.max(change.upper, Math.expm1(middle + T_OF_BATCHES * error)),
  };
}

function logMediansOfBatches(values: readonly number[]): number[] | undefined {
  if (values.length < BATCHES) return undefined;
  const medians = Array.from({ length: BATCHES }, (_, index) => {
    const [from, to] = [index, index + 1].map((edge) =>
      Math.round((edge * values.length) / BATCHES),
    );
    return median(values.slice(from, to));
  });
  return medians.every((one) => one > 0) ? medians.map(Math.log) : undefined;
}

function resampledMedian(values: readonly number[], prng: Prng): number {
  return median(resampledIndexes(values.length, prng).map((index) => values[index] as number));
}

function thirds(points: readonly Point[]): { first: readonly Point[]; last: readonly Point[] } {
  const size = Math.floor(points.length / 3);
  return { first: points.slice(0, size), last: points.slice(points.length - size) };
}

function bin(points: readonly Point[]): readonly Point[] {
  if (points.length <= MOST_POINTS) return points;
  return Array.from({ length: MOST_POINTS }, (_, index) => {
    const [from, to] = [index, index + 1].map((edge) =>
      Math.round((edge * points.length) / MOST_POINTS),
    );
    const members = points.slice(from, to);
    return { x: median(members.map(({ x }) => x)), y: median(members.map(({ y }) => y)) };
  });
}
