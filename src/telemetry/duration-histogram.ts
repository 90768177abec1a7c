/**
 * Durations counted in log-linear buckets: nine a decade, from 100 ns to 10 s, so that a count
 * costs a few nanoseconds and no memory. The buckets that are exported lie on edges of these and
 * are exact.
 */
const FIRST_DECADE = 2;
const LAST_DECADE = 9;
const BUCKETS = 1 + (LAST_DECADE - FIRST_DECADE + 1) * 9 + 1;
const POWERS = Array.from({ length: 12 }, (_, exponent) => 10 ** exponent);
const LEAST_NS = 10 ** FIRST_DECADE;
const BEYOND_NS = 10 ** (LAST_DECADE + 1);
/**
 * floor(log10(2^n)): the decade in which the powers of two lie; one too low for the rest of some.
 */
const DECADE_OF_BIT = Uint8Array.from({ length: 32 }, (_, bit) => Math.floor(Math.log10(2 ** bit)));

/** A sampled operation whose duration fell into a bucket. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly durationNs: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** What names the span of an operation that is recorded. */
export type TraceIds = Pick<Exemplar, 'traceId' | 'spanId'>;

export class DurationHistogram {
  /** Upper bounds, in nanoseconds. Each is 1 to 9 times a power of ten, from 100 ns to 10 s. */
  readonly boundsNs: readonly number[];
  private readonly counts = new Float64Array(BUCKETS);
  private readonly latest: (Exemplar | undefined)[] = [];
  private total = 0;
  private sumNs = 0;

  constructor(boundsNs: readonly number[]) {
    this.boundsNs = boundsNs;
  }

  /** Counts a duration `weight` times. */
  observe(durationNs: number, weight = 1, trace?: TraceIds): void {
    const index = bucketOf(durationNs);
    this.counts[index] = (this.counts[index] as number) + weight;
    this.total += weight;
    this.sumNs += durationNs * weight;
    if (trace === undefined) return;
    const { traceId, spanId } = trace;
    this.latest[this.exportedBucketOf(durationNs)] = {
      traceId,
      spanId,
      durationNs,
      atMs: Date.now(),
    };
  }

  get count(): number {
    return this.total;
  }

  get sumSeconds(): number {
    return this.sumNs / 1e9;
  }

  /** Observations below each of the bounds. */
  cumulative(): number[] {
    const result: number[] = [];
    let index = 0;
    let sum = 0;
    for (const bound of this.boundsNs) {
      for (const end = bucketOf(bound); index < end; index++) sum += this.counts[index] as number;
      result.push(sum);
    }
    return result;
  }

  /** The latest sampled operation of a bucket; that of `boundsNs.length` has no bound. */
  exemplar(bucket: number): Exemplar | undefined {
    return this.latest[bucket];
  }

  private exportedBucketOf(durationNs: number): number {
    const index = this.boundsNs.findIndex((bound) => durationNs < bound);
    return index === -1 ? this.boundsNs.length : index;
  }
}

function bucketOf(durationNs: number): number {
  if (durationNs < LEAST_NS) return 0;
  if (durationNs >= BEYOND_NS) return BUCKETS - 1;
  let decade =
    durationNs < 2 ** 31 ? (DECADE_OF_BIT[31 - Math.clz32(durationNs)] as number) : LAST_DECADE;
  if (durationNs >= (POWERS[decade + 1] as number)) decade++;
  const digit = Math.floor(durationNs / (POWERS[decade] as number));
  return 1 + (decade - FIRST_DECADE) * 9 + digit - 1;
}
