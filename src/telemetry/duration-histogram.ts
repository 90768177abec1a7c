/**
 * Durations counted in log-linear buckets: nine a decade, from 100 ns to 10 s, so that a count
 * costs a few nanoseconds and no memory. The Prometheus buckets, 1, 2 and 5 of each decade, lie on
 * edges of these and are exact.
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

/** Upper bounds, in nanoseconds: 1 µs to 10 s. */
export const BOUNDS_NS: readonly number[] = [
  ...[3, 4, 5, 6, 7, 8, 9].flatMap((decade) => [1, 2, 5].map((digit) => digit * 10 ** decade)),
  10 ** 10,
];

export class DurationHistogram {
  private readonly counts = new Float64Array(BUCKETS);
  private total = 0;
  private sumNs = 0;

  /** Counts a duration `weight` times. */
  observe(durationNs: number, weight = 1): void {
    const index = bucketOf(durationNs);
    this.counts[index] = (this.counts[index] as number) + weight;
    this.total += weight;
    this.sumNs += durationNs * weight;
  }

  get count(): number {
    return this.total;
  }

  get sumSeconds(): number {
    return this.sumNs / 1e9;
  }

  /** Observations at or below each of `BOUNDS_NS`. */
  cumulative(): number[] {
    const result: number[] = [];
    let index = 0;
    let sum = 0;
    for (const bound of BOUNDS_NS) {
      for (const end = bucketOf(bound); index < end; index++) sum += this.counts[index] as number;
      result.push(sum);
    }
    return result;
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
