import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Nanoseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * Takes a histogram in nanoseconds: what `RecordableHistogram` and `monitorEventLoopDelay` share.
 */
export function latenciesOf(histogram: {
  readonly count: number;
  readonly max: number;
  percentile(percentile: number): number;
}): Latencies {
  const { count } = histogram;
  const [p50, p99, p999] = [50, 99, 99.9].map((share) => histogram.percentile(share)) as [
    number,
    number,
    number,
  ];
  return { count, p50, p99, p999, max: count === 0 ? 0 : histogram.max };
}

/**
 * Three digits, up to 100 s; its buckets are there from the start, so that recording allocates
 * nothing.
 */
export function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 1e11, figures: 3 });
}

export function recordMs(histogram: RecordableHistogram, durationMs: number): void {
  histogram.record(Math.max(1, Math.round(durationMs * 1e6)));
}
