import { mix32, type Prng } from './prng.ts';

/** Which key an operation takes; `skew` is theta of the Zipf distribution, above 0 and below 1. */
export type KeyDistribution =
  | { readonly kind: 'uniform' }
  | { readonly kind: 'zipfian'; readonly skew: number }
  /** One after the other, round and round. */
  | { readonly kind: 'sequential' };

/** Gives key numbers from 0 to `keyCount - 1`. */
export function keyChooser(
  distribution: KeyDistribution,
  keyCount: number,
  prng: Prng,
): () => number {
  switch (distribution.kind) {
    case 'uniform':
      return () => prng.below(keyCount);
    case 'sequential': {
      let next = 0;
      return () => next++ % keyCount;
    }
    case 'zipfian':
      return zipfianChooser(distribution.skew, keyCount, prng);
  }
}

/**
 * Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD 1994), as YCSB uses
 * it: ranks by a closed form, then scattered over the keys so that the popular ones do not lie side
 * by side.
 */
function zipfianChooser(skew: number, keyCount: number, prng: Prng): () => number {
  const zeta = (count: number) => {
    let sum = 0;
    for (let rank = 1; rank <= count; rank++) sum += rank ** -skew;
    return sum;
  };
  const zetaOfAll = zeta(keyCount);
  const alpha = 1 / (1 - skew);
  const eta = (1 - (2 / keyCount) ** (1 - skew)) / (1 - zeta(2) / zetaOfAll);
  const rankOf = (share: number) => {
    const scaled = share * zetaOfAll;
    if (scaled < 1) return 0;
    if (scaled < 1 + 0.5 ** skew) return 1;
    return Math.floor(keyCount * (eta * share - eta + 1) ** alpha);
  };
  return () => mix32(Math.min(rankOf(prng.nextUint32() / 2 ** 32), keyCount - 1)) % keyCount;
}
