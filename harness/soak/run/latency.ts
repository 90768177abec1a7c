import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { DurationCounts, type TakenDurations } from './duration-counts.ts';
import type { LatencyOperation, OperationLatency } from './operation-latency.ts';

const LATENCY_OPERATIONS: readonly LatencyOperation[] = ['put', 'get', 'delete', 'sync'];

/** The latencies of one interval, in microseconds. */
export interface IntervalLatency {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export type OperationDurations = Partial<Record<LatencyOperation, TakenDurations>>;

/**
 * Ten minutes: longer than any operation that is not a hang, and short enough for a small table.
 */
const LONGEST_NS = 600e9;

/**
 * One operation of the store since the last sample: exact percentiles, and counts that can be added
 * up.
 */
class OperationTimes {
  readonly counts = new DurationCounts();
  private readonly interval: RecordableHistogram = createHistogram({
    highest: LONGEST_NS,
    figures: 3,
  });

  record(durationMs: number): void {
    const durationNs = Math.min(LONGEST_NS, Math.max(1, Math.round(durationMs * 1e6)));
    this.interval.record(durationNs);
    this.counts.record(durationNs);
  }

  /** Undefined when it never happened in the interval. Begins the next. */
  takeInterval(): IntervalLatency | undefined {
    const { interval } = this;
    if (interval.count === 0) return undefined;
    const taken = {
      p50Us: interval.percentile(50) / 1000,
      p99Us: interval.percentile(99) / 1000,
      maxUs: interval.max / 1000,
    };
    interval.reset();
    return taken;
  }
}

/** How long the store takes for what it is asked, in the store process. */
export class LatencyRecorder {
  private readonly times = new Map(LATENCY_OPERATIONS.map((name) => [name, new OperationTimes()]));

  record(operation: LatencyOperation, durationMs: number): void {
    this.times.get(operation)?.record(durationMs);
  }

  takeInterval(): Partial<Record<LatencyOperation, IntervalLatency>> {
    const taken: Partial<Record<LatencyOperation, IntervalLatency>> = {};
    for (const [operation, times] of this.times) {
      const interval = times.takeInterval();
      if (interval !== undefined) taken[operation] = interval;
    }
    return taken;
  }

  /** Since the last time. */
  takeDurations(): OperationDurations {
    const taken: OperationDurations = {};
    for (const [operation, { counts }] of this.times) {
      const durations = counts.take();
      if (durations !== undefined) taken[operation] = durations;
    }
    return taken;
  }
}

/**
 * The latencies of the whole run, over all its processes. A killed process takes with it what it
 * timed since its last sample.
 */
export class RunLatency {
  private readonly counts = new Map(LATENCY_OPERATIONS.map((name) => [name, new DurationCounts()]));

  add(durations: OperationDurations): void {
    for (const [operation, counts] of this.counts) {
      const taken = durations[operation];
      if (taken !== undefined) counts.add(taken);
    }
  }

  describe(): OperationLatency[] {
    return [...this.counts].flatMap(([operation, counts]) => counts.describe(operation) ?? []);
  }
}
