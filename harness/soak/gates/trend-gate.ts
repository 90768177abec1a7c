import { formatQuantity } from '../../quantity.ts';
import {
  type Estimate,
  estimateGrowth,
  estimateTrend,
  type Point,
} from '../../statistics/trend.ts';
import { formatCount } from '../../units.ts';
import type { Sample } from '../sampling/sample.ts';
import type { Gate } from './gate.ts';
import { formatOfGate } from './gate-quantity.ts';
import type { MeasuredPoint } from './judged-sample.ts';
import type { Threshold } from './threshold.ts';
import { toGate, undecided, withMargin } from './threshold-verdict.ts';

/** An estimate of fewer points has an interval that means nothing. */
const LEAST_POINTS = 12;

/** Slope or growth of what was sampled after the warm-up. The seed makes intervals repeatable. */
export function judgeTrend(
  threshold: Threshold,
  points: readonly MeasuredPoint[],
  seed: number,
): Gate {
  const { life, ofLives } = longestLife(points);
  if (life.length < LEAST_POINTS) {
    return undecided(
      threshold,
      'inconclusive',
      `too short to tell: ${life.length} samples after the warm-up, and ${LEAST_POINTS} are needed${ofLives}`,
    );
  }
  const estimates =
    threshold.statistic.kind === 'slope' ? trendOf(life, seed) : growthOf(life, seed);
  const [main, plateau] = estimates;
  if (main === undefined || plateau === undefined) {
    return undecided(threshold, 'inconclusive', 'the samples span no operations');
  }
  const { verdict, reason, isExcused } = decide(threshold, estimates, spanOf(life));
  const detail = `over ${formatCount(life.length)} samples${ofLives}${reason}`;
  const { value, lower, upper, confidence } = main.estimate;
  const limit = limitOf(threshold);
  const gate = {
    ...toGate(threshold, value, limit, verdict, detail),
    interval: { lower, upper, confidence },
  };
  if (!isExcused) return gate;
  return {
    ...gate,
    excused: true,
    detail: `${gate.detail}. ${excuseOf(gate, lower, plateau.estimate)}`,
  };
}

/** What must lie beyond a share of the limit with certainty before anything is said to rise. */
interface Evidence {
  readonly estimate: Estimate;
  readonly shareOfLimit: number;
}

/** The estimate that is shown comes first. */
function trendOf(points: readonly Point[], seed: number): Evidence[] {
  const trend = estimateTrend(points, seed);
  if (trend === undefined) return [];
  return [
    { estimate: trend.slope, shareOfLimit: 1 },
    { estimate: trend.plateauSlope, shareOfLimit: 1 },
  ];
}

function growthOf(points: readonly Point[], seed: number): Evidence[] {
  const growth = estimateGrowth(points, seed);
  if (growth === undefined) return [];
  return [
    { estimate: growth.ofLine, shareOfLimit: 1 },
    // Between the middles of the outer thirds lie two thirds of what grows from end to end, and
    // less where it bends.
    { estimate: growth.ofThirds, shareOfLimit: 0.5 },
  ];
}

interface Decision {
  readonly verdict: 'passed' | 'failed' | 'inconclusive';
  readonly reason: string;
  /** The line alone is beyond the limit. */
  readonly isExcused: boolean;
}

/** `span`: of the samples, in thousand operations. */
function decide(threshold: Threshold, evidence: readonly Evidence[], span: number): Decision {
  const limit = withMargin(threshold, limitOf(threshold));
  const isBeyond = evidence.map(
    ({ estimate, shareOfLimit }) => estimate.lower > limit * shareOfLimit,
  );
  const decision = (verdict: Decision['verdict'], reason = ''): Decision => {
    return { verdict, reason, isExcused: verdict === 'passed' && isBeyond[0] === true };
  };
  if (isBeyond.every((beyond) => beyond)) {
    const { breath, unit } = threshold.series;
    const leastRise = Math.min(...evidence.map(({ estimate }) => estimate.lower)) * span;
    if (threshold.statistic.kind === 'growth' || leastRise > breath) {
      return decision('failed', ', by slope and by plateau');
    }
    return decision(
      'inconclusive',
      `: too short to tell, a rise by less than the ${formatQuantity(breath, unit)} that a process takes and gives back by itself`,
    );
  }
  const { value, lower, upper } = (evidence[0] as Evidence).estimate;
  const isWide = upper > limit && value - lower > Math.abs(limit);
  if (!isWide) return decision('passed');
  return decision(
    'inconclusive',
    ': too short or too restless to tell, the interval is wider than the limit',
  );
}

/** Why a line beyond the limit is no failure all the same. */
function excuseOf(gate: Gate, leastOfLine: number, plateau: Estimate): string {
  const shown = (value: number) => formatOfGate(value, gate);
  return (
    `The line alone is over the limit (at least ${shown(leastOfLine)}); it passes because the first and the last third ` +
    `do not differ with certainty by as much (${shown(plateau.lower)} to ${shown(plateau.upper)}): a step or a restless machine, or a leak that a longer run would show`
  );
}

/** A number: slope and growth name no other series. */
function limitOf(threshold: Threshold): number {
  return threshold.limit(() => undefined) as number;
}

function spanOf(points: readonly Point[]): number {
  const xs = points.map(({ x }) => x);
  return (xs.at(-1) ?? 0) - (xs[0] ?? 0);
}

/**
 * A killed process takes what it has leaked with it: only one life shows a trend, and each warms up
 * anew.
 */
function longestLife(points: readonly MeasuredPoint[]): {
  readonly life: readonly Point[];
  readonly ofLives: string;
} {
  const lives = pointsByLife(points.filter(({ isSettled }) => isSettled));
  const longest = lives.reduce((a, b) => (b.length > a.length ? b : a), []);
  return {
    life: longest.map(({ sample, value }) => ({ x: thousandOperations(sample), y: value })),
    ofLives:
      lives.length <= 1
        ? ''
        : `, of the longest of ${lives.length} lives: each kill takes what was held with it`,
  };
}

function pointsByLife(points: readonly MeasuredPoint[]): readonly (readonly MeasuredPoint[])[] {
  const lives = new Map<number, MeasuredPoint[]>();
  for (const point of points) {
    const life = lives.get(point.sample.life);
    if (life === undefined) lives.set(point.sample.life, [point]);
    else life.push(point);
  }
  return [...lives.values()];
}

function thousandOperations({ inside }: Sample): number {
  return (inside?.totals.operations ?? 0) / 1000;
}
