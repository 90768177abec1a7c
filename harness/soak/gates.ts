import type { Checkpoint } from './messages.ts';
import type { DescriptorCount } from './process-view.ts';
import type { Sample } from './samples.ts';

/** One threshold: passed when the value is at most the limit. */
export interface Gate {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly passed: boolean;
}

/** Descriptors counted from outside while the store was at rest. */
export interface CountedCheckpoint extends Checkpoint {
  readonly descriptors: DescriptorCount | undefined;
}

export interface Measurements {
  readonly samples: readonly Sample[];
  /** The first closed one is the baseline: the store was opened and closed once, and nothing written. */
  readonly checkpoints: readonly CountedCheckpoint[];
  readonly peakRssBytes: number | undefined;
  readonly maxRssBytes: number | undefined;
}

/** Only what could be measured is judged: no /proc, or an adapter that does not say what it holds, leaves gates out. */
export function judgeGates(measurements: Measurements): Gate[] {
  const { peakRssBytes, maxRssBytes } = measurements;
  const gates = [...descriptorGates(measurements)];
  if (peakRssBytes !== undefined && maxRssBytes !== undefined) {
    gates.push(gate('rss_peak_bytes', peakRssBytes, maxRssBytes));
  }
  return gates;
}

function descriptorGates({ samples, checkpoints }: Measurements): Gate[] {
  const counted = checkpoints.flatMap(({ store, stats, descriptors }) =>
    descriptors === undefined ? [] : [{ store, stats, descriptors }],
  );
  const closed = counted.filter(({ store }) => store === 'closed').map(({ descriptors }) => descriptors);
  const baseline = closed[0];
  if (baseline === undefined) return [];
  const sampled = samples.flatMap(({ outside }) => outside.descriptors ?? []);
  const everywhere = [...sampled, ...counted.map(({ descriptors }) => descriptors)];

  const gates = [
    gate('fds_leaked_when_closed', most(closed.map(({ open }) => open - baseline.open)), 0),
    gate('fds_of_deleted_files', most(everywhere.map(({ deleted }) => deleted - baseline.deleted)), 0),
  ];
  const unexplained = counted.flatMap(({ stats, descriptors }) =>
    stats?.openDescriptors === undefined
      ? []
      : [Math.abs(descriptors.open - baseline.open - stats.openDescriptors)],
  );
  if (unexplained.length > 0) gates.push(gate('fds_not_accounted_for', most(unexplained), 0));
  const limit = counted.find(({ stats }) => stats?.descriptorLimit !== undefined)?.stats?.descriptorLimit;
  if (limit !== undefined) {
    gates.push(gate('fds_of_the_store', most(everywhere.map(({ open }) => open - baseline.open)), limit));
  }
  return gates;
}

function gate(name: string, value: number, limit: number): Gate {
  return { name, value, limit, passed: value <= limit };
}

function most(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0);
}
