import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { LatencyOperation, OperationLatency } from './summary.ts';

export const LATENCY_OPERATIONS: readonly LatencyOperation[] = ['put', 'get', 'delete', 'sync'];

/** Of one interval, in microseconds. */
export interface IntervalLatency {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Ten minutes: longer than any operation that is not a hang, and short enough for a small table. */
const LONGEST_NS = 600e9;

/** One operation of the store: a histogram of the interval since the last sample, and one of the run. */
class OperationTimes {
  private readonly interval: RecordableHistogram = createHistogram({ highest: LONGEST_NS, figures: 3 });
  private readonly run: RecordableHistogram = createHistogram({ highest: LONGEST_NS, figures: 2 });

  record(durationMs: number): void {
    this.interval.record(Math.min(LONGEST_NS, Math.max(1, Math.round(durationMs * 1e6))));
  }

  /** Undefined when it never happened in the interval. Begins the next. */
  takeInterval(): IntervalLatency | undefined {
    const { interval, run } = this;
    if (interval.count === 0) return undefined;
    const taken = {
      p50Us: interval.percentile(50) / 1000,
      p99Us: interval.percentile(99) / 1000,
      maxUs: interval.max / 1000,
    };
    run.add(interval);
    interval.reset();
    return taken;
  }

  describe(operation: LatencyOperation): OperationLatency | undefined {
    this.takeInterval();
    const { run } = this;
    if (run.count === 0) return undefined;
    const us = (percent: number) => run.percentile(percent) / 1000;
    return {
      operation,
      count: run.count,
      meanUs: run.mean / 1000,
      p50Us: us(50),
      p90Us: us(90),
      p99Us: us(99),
      p999Us: us(99.9),
      maxUs: run.max / 1000,
      buckets: bucketsOf(run),
    };
  }
}

/** Bucket limits grow by this. */
const BUCKET_GROWTH = 2 ** 0.25;

/**
 * The histogram of Node tells percentiles, not counts: the share of values up to a limit is the percentile at which it
 * is reached, found by bisection. Good to one part in a million of the count, which makes rare buckets exact enough to
 * draw.
 */
function bucketsOf(histogram: RecordableHistogram): OperationLatency['buckets'] {
  const buckets: { upToUs: number; count: number }[] = [];
  let below = 0;
  const least = Math.max(1, histogram.min);
  for (let limitNs = least * BUCKET_GROWTH; below < histogram.count; limitNs *= BUCKET_GROWTH) {
    const upTo = limitNs >= histogram.max ? histogram.count : countUpTo(histogram, limitNs);
    const count = Math.max(0, upTo - below);
    if (count > 0) buckets.push({ upToUs: limitNs / 1000, count });
    below += count;
  }
  return buckets;
}

function countUpTo(histogram: RecordableHistogram, limitNs: number): number {
  let [low, high] = [0, histogram.count];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (histogram.percentile((middle / histogram.count) * 100) <= limitNs) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** How long the store takes for what it is asked. */
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

  describe(): OperationLatency[] {
    return [...this.times].flatMap(([operation, times]) => times.describe(operation) ?? []);
  }
}
