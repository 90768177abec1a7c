export interface RankTest {
  /**
   * Mann and Whitney's U of the first sample: the pairs in which it is larger, ties counting a
   * half.
   */
  readonly u: number;
  /** Two-sided. */
  readonly p: number;
}

/**
 * The Mann-Whitney test (Wilcoxon rank sum): do two independent samples come from the same
 * distribution? Exact, with ties too: over all ways to deal the pooled midranks to the two samples.
 * Both must hold something. Takes time with the fourth power of the sample size: some dozens each.
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): RankTest {
  const ranks = doubledMidranks([...first, ...second]);
  const doubledSum = ranks.slice(0, first.length).reduce((sum, rank) => sum + rank, 0);
  const u = doubledSum / 2 - (first.length * (first.length + 1)) / 2;
  return { u, p: exactP(ranks, first.length, doubledSum) };
}

/**
 * How many of the pairwise differences between two samples, in order, lie outside the interval for
 * the shift between them, at each end, so that it still covers that shift with this confidence
 * (Moses).
 */
export function differencesOutside(
  firstCount: number,
  secondCount: number,
  confidence: number,
): number {
  const ranks = Array.from({ length: firstCount + secondCount }, (_, index) => 2 * (index + 1));
  const ways = waysBySum(ranks, firstCount);
  const total = ways.reduce((sum, count) => sum + count, 0);
  const least = firstCount * (firstCount + 1);
  let below = 0;
  for (let outside = 0; ; outside++) {
    below += (ways[least + 2 * outside] as number) / total;
    if (below > (1 - confidence) / 2) return outside;
  }
}

/** Ranks from 1, equal values sharing the middle of theirs; doubled, so that all are integers. */
function doubledMidranks(values: readonly number[]): number[] {
  const order = values
    .map((_, index) => index)
    .sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranks = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to++;
    for (let index = from; index < to; index++) ranks[order[index] as number] = from + to + 1;
    from = to;
  }
  return ranks;
}

function exactP(ranks: readonly number[], count: number, observedSum: number): number {
  const ways = waysBySum(ranks, count);
  let total = 0;
  let atMost = 0;
  let atLeast = 0;
  for (const [sum, number] of ways.entries()) {
    total += number;
    if (sum <= observedSum) atMost += number;
    if (sum >= observedSum) atLeast += number;
  }
  return Math.min(1, (2 * Math.min(atMost, atLeast)) / total);
}

/** Counts the ways in which `count` of the ranks add up to each sum. */
function waysBySum(ranks: readonly number[], count: number): Float64Array {
  const most = ranks.reduce((sum, rank) => sum + rank, 0);
  const ways = Array.from({ length: count + 1 }, () => new Float64Array(most + 1));
  (ways[0] as Float64Array)[0] = 1;
  for (const [index, rank] of ranks.entries()) {
    for (let taken = Math.min(index + 1, count); taken > 0; taken--) {
      const to = ways[taken] as Float64Array;
      const from = ways[taken - 1] as Float64Array;
      for (let sum = rank; sum <= most; sum++)
        to[sum] = (to[sum] as number) + (from[sum - rank] as number);
    }
  }
  return ways[count] as Float64Array;
}
