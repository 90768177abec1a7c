import type { LatencyOperation, OperationLatency } from './operation-latency.ts';

/** Buckets per doubling of the duration: a percentile is right to 2.2 %. */
const BUCKETS_PER_DOUBLING = 32;
/** Those of a doubling that are shown as one. */
const SHOWN_TOGETHER = 8;
/** Ten minutes: longer than any operation that is not a hang. */
const LONGEST_NS = 600e9;
const BUCKETS = Math.ceil(Math.log2(LONGEST_NS) * BUCKETS_PER_DOUBLING) + 1;

/** Plain numbers, to be sent. */
export interface TakenDurations {
  readonly sumNs: number;
  readonly maxNs: number;
  /** The buckets that hold something: index and count in turn. */
  readonly counts: readonly number[];
}

/**
 * How many operations took how long, in buckets that grow by a factor; those of several processes
 * can be added.
 */
export class DurationCounts {
  private readonly counts = new Float64Array(BUCKETS);
  private count = 0;
  private sumNs = 0;
  private maxNs = 0;

  record(durationNs: number): void {
    const ns = Math.min(LONGEST_NS, Math.max(1, durationNs));
    const index = Math.floor(Math.log2(ns) * BUCKETS_PER_DOUBLING);
    this.counts[index] = (this.counts[index] as number) + 1;
    this.count++;
    this.sumNs += ns;
    if (ns > this.maxNs) this.maxNs = ns;
  }

  /** Everything since the last time; undefined when that is nothing. */
  take(): TakenDurations | undefined {
    if (this.count === 0) return undefined;
    const counts: number[] = [];
    this.counts.forEach((count, index) => {
      if (count > 0) counts.push(index, count);
    });
    const taken = { sumNs: this.sumNs, maxNs: this.maxNs, counts };
    this.counts.fill(0);
    this.count = this.sumNs = this.maxNs = 0;
    return taken;
  }

  add({ sumNs, maxNs, counts }: TakenDurations): void {
    for (let at = 0; at < counts.length; at += 2) {
      const [index, count] = [counts[at] as number, counts[at + 1] as number];
      this.counts[index] = (this.counts[index] as number) + count;
      this.count += count;
    }
    this.sumNs += sumNs;
    this.maxNs = Math.max(this.maxNs, maxNs);
  }

  /** Undefined when it never happened. */
  describe(operation: LatencyOperation): OperationLatency | undefined {
    const { count } = this;
    if (count === 0) return undefined;
    const us = (percent: number) => this.percentileNs(percent) / 1000;
    return {
      operation,
      count,
      meanUs: this.sumNs / count / 1000,
      p50Us: us(50),
      p90Us: us(90),
      p99Us: us(99),
      p999Us: us(99.9),
      maxUs: this.maxNs / 1000,
      buckets: this.shownBuckets(),
    };
  }

  private percentileNs(percent: number): number {
    let rank = Math.max(1, Math.ceil((percent / 100) * this.count));
    const index = this.counts.findIndex((count) => {
      rank -= count;
      return rank <= 0;
    });
    return Math.min(this.maxNs, 2 ** ((index + 1) / BUCKETS_PER_DOUBLING));
  }

  private shownBuckets(): OperationLatency['buckets'] {
    const buckets: { upToUs: number; count: number }[] = [];
    for (let from = 0; from < BUCKETS; from += SHOWN_TOGETHER) {
      const count = this.counts
        .subarray(from, from + SHOWN_TOGETHER)
        .reduce((sum, one) => sum + one, 0);
      if (count > 0)
        buckets.push({
          upToUs: 2 ** ((from + SHOWN_TOGETHER) / BUCKETS_PER_DOUBLING) / 1000,
          count,
        });
    }
    return buckets;
  }
}
