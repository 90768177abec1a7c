import { mean, median, quantile } from 'simple-statistics';
import type { Series } from '../sampling/series.ts';
import type { Gate } from './gate.ts';
import type { JudgedSample, MeasuredPoint } from './judged-sample.ts';
import type { Threshold } from './threshold.ts';
import { holds, toGate, undecided } from './threshold-verdict.ts';
import { judgeTrend } from './trend-gate.ts';

/**
 * Judges the samples after the warm-up. `everMeasured` says whether the series has a number
 * anywhere, the warm-up included. The seed makes intervals repeatable.
 */
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
  if (!everMeasured)
    return undecided(threshold, 'skipped', 'this store or platform shows no such number');
  if (points.length === 0)
    return undecided(threshold, 'inconclusive', 'no sample after the warm-up');
  switch (statistic.kind) {
    case 'growth':
    case 'slope':
      return judgeTrend(threshold, points, seed);
    case 'value':
      return judgeEvery(threshold, points);
    default:
      return judgeStatistic(
        threshold,
        points.map(({ value }) => value),
      );
  }
}

function judgeStatistic(threshold: Threshold, values: readonly number[]): Gate {
  const value = statisticOf(threshold, values);
  const limit = threshold.limit(() => undefined) as number;
  const passed = holds(threshold, value, limit);
  return toGate(
    threshold,
    value,
    limit,
    passed ? 'passed' : 'failed',
    `over ${values.length} samples`,
  );
}

/** The sample that is furthest on the wrong side stands for all. */
function judgeEvery(threshold: Threshold, points: readonly MeasuredPoint[]): Gate {
  const rows = points.flatMap(({ sample, before, value }) => {
    const limit = threshold.limit((other: Series) => other.of(sample, before));
    return limit === undefined ? [] : [{ value, limit, elapsedS: sample.elapsedS }];
  });
  if (rows.length === 0)
    return undecided(threshold, 'skipped', 'no sample has every series of the formula');
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
