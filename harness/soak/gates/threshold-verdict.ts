import type { Unit } from '../../quantity.ts';
import type { Gate, GateKind } from './gate.ts';
import { formatAgainstLimit } from './gate-quantity.ts';
import type { Threshold } from './threshold.ts';

/** An upper limit is raised by the margin, a lower one is lowered. */
export function withMargin({ comparison, margin }: Threshold, limit: number): number {
  const slack = Math.abs(limit) * margin;
  return comparison.startsWith('<')
    ? limit + slack
    : comparison.startsWith('>')
      ? limit - slack
      : limit;
}

export function holds(threshold: Threshold, value: number, exactLimit: number): boolean {
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

export function undecided(
  threshold: Threshold,
  verdict: 'skipped' | 'inconclusive',
  detail: string,
): Gate {
  return toGate(threshold, null, threshold.limit(() => undefined) ?? null, verdict, detail);
}

export function toGate(
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

const KINDS: Readonly<Record<string, GateKind>> = {
  growth: 'growth',
  slope: 'leak',
  value: 'equality',
};

function unitOf({ series, statistic }: Threshold): Unit {
  if (statistic.kind === 'growth') return 'ratio';
  if (statistic.kind !== 'slope') return series.unit;
  if (series.unit === 'bytes' || series.unit === 'count' || series.unit === 'us')
    return `${series.unit}/1000 ops`;
  return series.unit;
}
