import type { Checkpoint } from '../run/messages.ts';
import type { DescriptorCount } from '../sampling/process-view.ts';
import type { Sample } from '../sampling/sample.ts';
import type { Gate } from './gate.ts';
import { formatAgainstLimit } from './gate-quantity.ts';
import { SampleSequence } from './judged-sample.ts';
import type { Threshold } from './threshold.ts';
import { judgeThreshold } from './threshold-gate.ts';

/** Descriptors counted from outside while the store was at rest. */
export interface CountedCheckpoint extends Omit<Checkpoint, 'recountsLeft'> {
  readonly descriptors: DescriptorCount | undefined;
  /** Which store process it was of. */
  readonly life: number;
}

export interface Measurements {
  readonly samples: readonly Sample[];
  /**
   * The first closed one of a process is its baseline: the store was opened and closed once, and
   * nothing written.
   */
  readonly checkpoints: readonly CountedCheckpoint[];
  readonly warmupEndsAtS: number;
  readonly peakRssBytes: number | undefined;
}

export interface Limits {
  readonly thresholds: readonly Threshold[];
  readonly maxRssBytes: number | undefined;
  /** The seed of the intervals. */
  readonly seed: number;
}

/**
 * Descriptors always, the rest as the profile says. Nothing is judged that could not be measured.
 */
export function judgeGates(
  measurements: Measurements,
  { thresholds, maxRssBytes, seed }: Limits,
): Gate[] {
  const { samples, warmupEndsAtS, peakRssBytes } = measurements;
  const gates = descriptorGates(measurements);
  if (peakRssBytes !== undefined && maxRssBytes !== undefined) {
    gates.push(gate('rss_peak_bytes', peakRssBytes, maxRssBytes));
  }
  const sequence = new SampleSequence();
  const measured = samples.map((sample) => sequence.next(sample, warmupEndsAtS));
  const judged = measured.filter(({ sample }) => sample.elapsedS >= warmupEndsAtS);
  for (const threshold of thresholds) {
    const ever = measured.some(
      ({ sample, before }) => threshold.series.of(sample, before) !== undefined,
    );
    gates.push(judgeThreshold(threshold, judged, ever, seed));
  }
  return gates;
}

function descriptorGates({ samples, checkpoints }: Measurements): Gate[] {
  const lives = [...new Set(checkpoints.map(({ life }) => life))].map((life) =>
    descriptorGatesOfLife(
      samples.filter((sample) => sample.life === life),
      checkpoints.filter((checkpoint) => checkpoint.life === life),
    ),
  );
  const all = lives.flat();
  // The worst process stands for all.
  return [...new Set(all.map(({ name }) => name))].map((name) =>
    all
      .filter((one) => one.name === name)
      .reduce((a, b) => ((b.value ?? 0) > (a.value ?? 0) ? b : a)),
  );
}

function descriptorGatesOfLife(
  samples: readonly Sample[],
  checkpoints: readonly CountedCheckpoint[],
): Gate[] {
  const counted = checkpoints.flatMap(({ store, stats, descriptors }) =>
    descriptors === undefined ? [] : [{ store, stats, descriptors }],
  );
  const closed = counted
    .filter(({ store }) => store === 'closed')
    .map(({ descriptors }) => descriptors);
  const baseline = closed[0];
  if (baseline === undefined) return [];
  const sampled = samples.flatMap(({ outside }) => outside.descriptors ?? []);
  const everywhere = [...sampled, ...counted.map(({ descriptors }) => descriptors)];

  const gates = [
    gate('fds_leaked_when_closed', most(closed.map(({ open }) => open - baseline.open)), 0),
    // At rest only: a temporary file that is unlinked while it is written, as SQLite has them, is
    // none.
    gate(
      'fds_of_deleted_files',
      most(counted.map(({ descriptors }) => descriptors.deleted - baseline.deleted)),
      0,
    ),
  ];
  const unexplained = counted.flatMap(({ stats, descriptors }) =>
    stats?.openDescriptors === undefined
      ? []
      : [Math.abs(descriptors.open - baseline.open - stats.openDescriptors)],
  );
  if (unexplained.length > 0) gates.push(gate('fds_not_accounted_for', most(unexplained), 0));
  const limit = counted.find(({ stats }) => stats?.descriptorLimit !== undefined)?.stats
    ?.descriptorLimit;
  if (limit !== undefined) {
    gates.push(
      gate('fds_of_the_store', most(everywhere.map(({ open }) => open - baseline.open)), limit),
    );
  }
  return gates;
}

function gate(name: string, value: number, limit: number): Gate {
  const passed = value <= limit;
  const isRss = name === 'rss_peak_bytes';
  const judged = {
    kind: isRss ? 'limit' : 'descriptors',
    value,
    comparison: '<=',
    limit,
    unit: isRss ? 'bytes' : 'count',
  } as const;
  return {
    name,
    series: isRss ? 'rss_bytes' : null,
    ...judged,
    passed,
    verdict: passed ? 'passed' : 'failed',
    detail: formatAgainstLimit(judged),
    aborted: false,
  };
}

function most(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0);
}
