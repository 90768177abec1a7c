import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../../command-line.ts';
import { formatQuantity } from '../../quantity.ts';
import { estimateChangeOfRuns } from '../../statistics/trend.ts';
import type { SoakConfiguration } from '../run/configuration.ts';
import type { RunTotals } from '../run/ledger.ts';
import { seriesNamed } from '../sampling/series.ts';
import type { Comparison, ComparisonRow } from './comparison.ts';
import type { Metric } from './metrics.ts';
import { SUMMARY_SCHEMA, type Summary } from './summary.ts';

/** The report of an earlier run. */
export interface Baseline {
  readonly directory: string;
  readonly summary: Summary;
  /** The rows by name of the column; empty cells are left out. */
  readonly rows: readonly Readonly<Record<string, number>>[];
}

/** Throws `UsageError` when there is nothing that could be compared with. */
export function readBaseline(directory: string): Baseline {
  const path = join(directory, 'summary.json');
  const read = (name: string) => {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch (error) {
      throw new UsageError(`--baseline: ${(error as Error).message}`);
    }
  };
  const refuse = (reason: string) => new UsageError(`--baseline: ${path} ${reason}`);
  const text = read('summary.json');
  let summary: Summary;
  try {
    summary = JSON.parse(text) as Summary;
  } catch {
    throw refuse(`is truncated or no JSON (${text.length} characters)`);
  }
  if (summary?.kind !== 'tidemark-soak') throw refuse('is no summary of a soak');
  if (summary.schema !== SUMMARY_SCHEMA) {
    throw refuse(
      `has schema ${summary.schema}, and this is schema ${SUMMARY_SCHEMA}: run the base again`,
    );
  }
  if (summary.totals === null || summary.outcome?.kind !== 'completed') {
    throw refuse(`is of a run that did not end (${summary.verdict}: ${summary.reason})`);
  }
  return { directory, summary, rows: parseRows(read('samples.csv')) };
}

function parseRows(csv: string): Record<string, number>[] {
  const [header = '', ...lines] = csv.trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',').map((cell, index) => [names[index], cell] as const);
    const filled = cells.filter(([, cell]) => cell !== '' && Number.isFinite(Number(cell)));
    return Object.fromEntries(filled.map(([name, cell]) => [name, Number(cell)]));
  });
}

/** This run, as far as a comparison needs it. */
export interface Head extends Pick<Summary, 'host' | 'versions' | 'totals' | 'seed' | 'outcome'> {
  readonly configuration: SoakConfiguration;
}

const COUNTS: readonly (keyof RunTotals)[] = [
  'operations',
  'puts',
  'deletes',
  'reads',
  'syncs',
  'rotates',
  'compacts',
  'reopens',
  'bytesWritten',
  'keysChecked',
];

export function compareWithBaseline(
  baseline: Baseline,
  head: Head,
  metrics: readonly Metric[],
  leastEffect: number,
): Comparison {
  const base = baseline.summary;
  const { warnings, countsAreComparable, timesAreComparable } = comparability(base, head);
  return {
    directory: baseline.directory,
    startedAt: base.startedAt,
    seed: base.seed,
    warnings,
    rows: [
      ...COUNTS.map((name) => compareCount(name, base, head, countsAreComparable)),
      ...metrics.map((metric) =>
        compareMetric(metric, baseline, leastEffect, timesAreComparable, head.seed),
      ),
    ],
  };
}

/** The least number on either side. The interval of a few samples is as narrow as chance has it. */
const LEAST_SAMPLES = 30;

interface Comparability {
  readonly warnings: string[];
  readonly countsAreComparable: boolean;
  readonly timesAreComparable: boolean;
}

function comparability(base: Summary, head: Head): Comparability {
  const warnings: string[] = [];
  const { adapter: baseAdapter } = base.configuration;
  const { adapter, goal, workload, keyCount, chaos } = head.configuration;
  const sameWork =
    isDeepStrictEqual(base.configuration.workload, workload) &&
    base.configuration.keyCount === keyCount &&
    isDeepStrictEqual(base.configuration.goal, goal) &&
    isDeepStrictEqual(base.configuration.chaos, chaos);
  if (!sameWork) warnings.push('another workload: counts are not compared, and times mean little');
  if (base.seed !== head.seed)
    warnings.push(`another seed (${base.seed}): counts are not compared`);
  if (baseAdapter !== adapter) warnings.push(`another adapter (${baseAdapter})`);
  const sameMachine = base.host.machineClass === head.host.machineClass;
  if (!sameMachine) {
    warnings.push(
      `another class of machine (${base.host.machineClass}; here ${head.host.machineClass}): times are not compared`,
    );
  }
  if (base.versions.node !== head.versions.node)
    warnings.push(`another Node (${base.versions.node})`);
  // A clock decides where such runs end, or a kill what they had done by then.
  const endsByCount = goal.seconds === undefined && chaos === undefined;
  const byTime = (base.totals?.byTime ?? 0) + (head.totals?.byTime ?? 0);
  if (byTime > 0)
    warnings.push('the clock decided some syncs or reopenings: counts are not compared');
  return {
    warnings,
    countsAreComparable:
      sameWork &&
      base.seed === head.seed &&
      endsByCount &&
      byTime === 0 &&
      head.outcome?.kind === 'completed',
    timesAreComparable: sameMachine && sameWork,
  };
}

function compareCount(
  name: keyof RunTotals,
  base: Summary,
  head: Head,
  comparable: boolean,
): ComparisonRow {
  const [before, after] = [base.totals?.[name] ?? null, head.totals?.[name] ?? null];
  const isSame = before === after;
  return {
    name,
    unit: name === 'bytesWritten' ? 'bytes' : 'count',
    base: before,
    head: after,
    change: before === null || after === null || before === 0 ? null : after / before - 1,
    verdict: !comparable ? 'not compared' : isSame ? 'same' : 'different',
    kind: 'count',
    blocks: comparable && !isSame,
  };
}

function compareMetric(
  metric: Metric,
  { rows, summary }: Baseline,
  leastEffect: number,
  comparable: boolean,
  seed: number,
): ComparisonRow {
  const { name, unit, value, better, samples } = metric;
  const { column = '', columnScale = 1 } = seriesNamed(name) ?? {};
  const before = rows
    .filter(({ elapsed_s = 0 }) => elapsed_s >= summary.warmupEndsAtS)
    .flatMap((row) => (row[column] === undefined ? [] : [row[column] * columnScale]));
  const areEnough = Math.min(before.length, samples.length) >= LEAST_SAMPLES;
  const change = comparable && areEnough ? estimateChangeOfRuns(before, samples, seed) : undefined;
  const rest = { name, unit, head: value, kind: 'time' as const };
  if (change === undefined) {
    return { ...rest, base: null, change: null, verdict: 'not compared', blocks: false };
  }
  const { lower, upper, confidence } = change;
  // By so much less does a rate go down when each operation takes so much longer.
  const worseBeyond = better === 'less' ? leastEffect : 1 - 1 / (1 + leastEffect);
  const [up, down] = [lower > worseBeyond, upper < -worseBeyond];
  const isWorse = better === 'less' ? up : down;
  const isBetter = better === 'less' ? down : up;
  const mayBeWorse = better === 'less' ? upper > worseBeyond : lower < -worseBeyond;
  return {
    ...rest,
    base: value / (1 + change.value),
    change: change.value,
    interval: { lower, upper, confidence },
    verdict: isWorse ? 'worse' : isBetter ? 'better' : mayBeWorse ? 'unclear' : 'same',
    blocks: isWorse,
  };
}

/** What ends the run with 99. */
export function regressionsOf({ rows }: Comparison): string[] {
  return rows
    .filter(({ blocks }) => blocks)
    .map(({ name, unit, base, head, change, kind }) =>
      kind === 'count'
        ? `${name} is ${head}, and was ${base} in the baseline`
        : `${name} is ${formatQuantity(head ?? 0, unit)}, ${Math.round(Math.abs(change ?? 0) * 100)} % ${(change ?? 0) > 0 ? 'more' : 'less'} than in the baseline`,
    );
}
