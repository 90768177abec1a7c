import { mean, median, quantile } from 'simple-statistics';
import { type Estimate, estimateGrowth, estimateTrend, type Point } from '../statistics/trend.ts';
import { formatCount } from '../units.ts';
import { formatAgainstLimit, formatOfGate } from './gate-quantity.ts';
import type { JudgedSample } from './judged-sample.ts';
import { formatQuantity, type Unit } from './report/quantity.ts';
import type { Sample } from './samples.ts';
import type { Series } from './series.ts';
import type { Gate, GateKind } from './summary.ts';
import type { Threshold } from './threshold.ts';

/** Of estimates: with fewer points an interval means nothing. */
const LEAST_POINTS = 12;

/** Of samples after the warm-up. `everMeasured`: whether the series has a number anywhere, the warm-up included. The seed makes intervals repeatable. */
export function judgeThreshold(
  threshold: Threshold,
  judged: readonly JudgedSample[],
  everMeasured: boolean,
  seed: number,
): Gate {
  const { series, statistic } = threshold;
  const points = judged.flatMap((one) => {
    const value = series.of(one.sample, one.before);
    return value === undefined ? [] : [{ ...one, value }];
  });
  if (!everMeasured) return undecided(threshold, 'skipped', 'this store or platform shows no such number');
  if (points.length === 0) return undecided(threshold, 'inconclusive', 'no sample after the warm-up');
  switch (statistic.kind) {
    case 'growth':
    case 'slope':
      return judgeEstimate(threshold, points, seed);
    case 'value':
      return judgeEvery(threshold, points);
    default:
      return judgeStatistic(
        threshold,
        points.map(({ value }) => value),
      );
  }
}

interface MeasuredPoint extends JudgedSample {
  readonly value: number;
}

function judgeStatistic(threshold: Threshold, values: readonly number[]): Gate {
  const value = statisticOf(threshold, values);
  const limit = threshold.limit(() => undefined) as number;
  const passed = holds(threshold, value, limit);
  return toGate(threshold, value, limit, passed ? 'passed' : 'failed', `over ${values.length} samples`);
}

/** The sample that is furthest on the wrong side stands for all. */
function judgeEvery(threshold: Threshold, points: readonly MeasuredPoint[]): Gate {
  const rows = points.flatMap(({ sample, before, value }) => {
    const limit = threshold.limit((other: Series) => other.of(sample, before));
    return limit === undefined ? [] : [{ value, limit, elapsedS: sample.elapsedS }];
  });
  if (rows.length === 0) return undecided(threshold, 'skipped', 'no sample has every series of the formula');
  const excess = ({ value, limit }: { value: number; limit: number }) => {
    if (threshold.comparison === '==') return Math.abs(value - limit);
    return threshold.comparison.startsWith('<') ? value - limit : limit - value;
  };
  const worst = rows.reduce((a, b) => (excess(b) > excess(a) ? b : a));
  const failures = rows.filter(({ value, limit }) => !holds(threshold, value, limit)).length;
  return toGate(
    threshold,
    worst.value,
    worst.limit,
    failures === 0 ? 'passed' : 'failed',
    failures === 0
      ? `in each of ${rows.length} samples`
      : `not in ${failures} of ${rows.length} samples, worst at ${worst.elapsedS.toFixed(1)} s`,
  );
}

function judgeEstimate(threshold: Threshold, points: readonly MeasuredPoint[], seed: number): Gate {
  const limit = withMargin(threshold, threshold.limit(() => undefined) as number);
  const kind = threshold.statistic.kind === 'growth' ? 'growth' : 'slope';
  // A killed process takes what it has leaked with it: only one life shows a trend, and each warms up anew.
  const lives = pointsByLife(points.filter(({ isSettled }) => isSettled));
  const longest = lives.reduce((a, b) => (b.length > a.length ? b : a), []);
  const life = longest.map(({ sample, value }) => ({ x: thousandOperations(sample), y: value }));
  const ofWhat =
    lives.length === 1
      ? ''
      : `, of the longest of ${lives.length} lives: each kill takes what was held with it`;
  if (life.length < LEAST_POINTS) {
    return undecided(
      threshold,
      'inconclusive',
      `too short to tell: ${life.length} samples after the warm-up, and ${LEAST_POINTS} are needed${ofWhat}`,
    );
  }
  const estimates = kind === 'slope' ? trendOf(life, seed) : growthOf(life, seed);
  const [main, plateau] = estimates;
  if (main === undefined) return undecided(threshold, 'inconclusive', 'the samples span no operations');
  const { value, lower, upper, confidence } = main;
  const interval = { lower, upper, confidence };
  const isBeyond = estimates.map(
    ({ lower: certain }, index) => certain > limit * (SHARES_OF_LIMIT[kind][index] ?? 1),
  );
  const isCertain = isBeyond.every((beyond) => beyond);
  const isWide = upper > limit && value - lower > Math.abs(limit);
  const { breath } = threshold.series;
  const leastRise = Math.min(...estimates.map((one) => one.lower)) * spanOf(life);
  const isBreath = kind === 'slope' && isCertain && leastRise <= breath;
  const verdict = isBreath ? 'inconclusive' : isCertain ? 'failed' : isWide ? 'inconclusive' : 'passed';
  const excused = verdict === 'passed' && isBeyond[0] === true;
  const samples = `over ${formatCount(life.length)} samples${ofWhat}`;
  const detail = {
    failed: `${samples}, by slope and by plateau`,
    inconclusive: isBreath
      ? `${samples}: too short to tell, a rise by less than the ${formatQuantity(breath, threshold.series.unit)} that a process takes and gives back by itself`
      : `${samples}: too short or too restless to tell, the interval is wider than the limit`,
    passed: samples,
  }[verdict];
  const gate = { ...toGate(threshold, value, limit, verdict, detail), limit, interval };
  if (!excused || plateau === undefined) return gate;
  return { ...gate, excused, detail: `${gate.detail}. ${excuseOf(gate, lower, plateau)}` };
}

/** Why a line beyond the limit is no failure all the same. */
function excuseOf(gate: Gate, leastOfLine: number, plateau: Estimate): string {
  const shown = (value: number) => formatOfGate(value, gate);
  return (
    `The line alone is over the limit (at least ${shown(leastOfLine)}); it passes because the first and the last third ` +
    `do not differ with certainty by as much (${shown(plateau.lower)} to ${shown(plateau.upper)}): a step or a restless machine, or a leak that a longer run would show`
  );
}

/** What must be certain for a leak, the estimate that is shown first. */
function trendOf(points: readonly Point[], seed: number): Estimate[] {
  const trend = estimateTrend(points, seed);
  return trend === undefined ? [] : [trend.slope, trend.plateauSlope];
}

function growthOf(points: readonly Point[], seed: number): Estimate[] {
  const growth = estimateGrowth(points, seed);
  return growth === undefined ? [] : [growth.ofLine, growth.ofThirds];
}

/** Between the middles of the outer thirds lie two thirds of what grows from end to end, and less where it bends. */
const SHARES_OF_LIMIT = { slope: [1, 1], growth: [1, 0.5] } as const;

function spanOf(points: readonly Point[]): number {
  const xs = points.map(({ x }) => x);
  return (xs.at(-1) ?? 0) - (xs[0] ?? 0);
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

function statisticOf({ statistic }: Threshold, values: readonly number[]): number {
  switch (statistic.kind) {
    case 'min':
      return values.reduce((a, b) => Math.min(a, b));
    case 'max':
      return values.reduce((a, b) => Math.max(a, b));
    case 'mean':
      return mean([...values]);
    case 'median':
      return median([...values]);
    case 'percentile':
      return quantile([...values], statistic.percent / 100);
    default:
      return values.at(-1) as number;
  }
}

/** An upper limit is raised by the margin, a lower one is lowered. */
function withMargin({ comparison, margin }: Threshold, limit: number): number {
  const slack = Math.abs(limit) * margin;
  return comparison.startsWith('<') ? limit + slack : comparison.startsWith('>') ? limit - slack : limit;
}

function holds(threshold: Threshold, value: number, exactLimit: number): boolean {
  const limit = withMargin(threshold, exactLimit);
  switch (threshold.comparison) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '==':
      return Math.abs(value - limit) <= Math.abs(limit) * threshold.margin;
  }
}

function undecided(threshold: Threshold, verdict: 'skipped' | 'inconclusive', detail: string): Gate {
  return toGate(threshold, null, threshold.limit(() => undefined) ?? null, verdict, detail);
}

function toGate(
  threshold: Threshold,
  value: number | null,
  limit: number | null,
  verdict: Gate['verdict'],
  detail: string,
): Gate {
  const { series, text, statistic, comparison } = threshold;
  const judged = {
    kind: KINDS[statistic.kind] ?? (comparison === '==' ? 'equality' : 'limit'),
    value,
    comparison,
    limit: limit === null ? null : withMargin(threshold, limit),
    unit: unitOf(threshold),
  };
  return {
    name: `${series.name}: ${text}`,
    series: series.name,
    ...judged,
    passed: verdict === 'passed' || verdict === 'skipped',
    verdict,
    detail: value === null ? detail : `${formatAgainstLimit(judged)}, ${detail}`,
    aborted: false,
  };
}

const KINDS: Readonly<Record<string, GateKind>> = { growth: 'growth', slope: 'leak', value: 'equality' };

function unitOf({ series, statistic }: Threshold): Unit {
  if (statistic.kind === 'growth') return 'ratio';
  if (statistic.kind !== 'slope') return series.unit;
  if (series.unit === 'bytes' || series.unit === 'count' || series.unit === 'us')
    return `${series.unit}/1000 ops`;
  return series.unit;
}
