import { median } from 'simple-statistics';
import { differencesOutside, mannWhitney } from './mann-whitney.ts';

/**
 * `unclear`: no change was shown, but one that would matter is not excluded either, for the samples
 * scatter or are few.
 */
export type VerdictWord = 'same' | 'slower' | 'faster' | 'unclear';

export interface Judged {
  readonly word: VerdictWord;
  /**
   * Head over base: the median of the ratios of all pairs of samples (Hodges and Lehmann, on
   * logarithms).
   */
  readonly effect: number;
  /** Covers the true ratio with 95 % confidence; wide where the samples are few. */
  readonly low: number;
  readonly high: number;
  /** How sure it is that the two differ at all: 1 less the p of Mann and Whitney's test. */
  readonly confidence: number;
}

export interface Thresholds {
  /** A difference counts when chance brings one as large less often than this. */
  readonly alpha: number;
  /** And when it is at least as large as this: 0.05 is 5 %. */
  readonly leastEffect: number;
}

/**
 * Judges two samples of something of which less is better, independent of each other and among
 * themselves.
 */
export function judge(
  base: readonly number[],
  head: readonly number[],
  { alpha, leastEffect }: Thresholds,
): Judged {
  const logs = head
    .flatMap((after) => base.map((before) => Math.log(after / before)))
    .sort((a, b) => a - b);
  const outside = differencesOutside(base.length, head.length, 0.95);
  const effect = Math.exp(median(logs));
  const low = Math.exp(logs[outside] as number);
  const high = Math.exp(logs[logs.length - 1 - outside] as number);
  const { p } = mannWhitney(base, head);
  return {
    word: wordOf(p <= alpha, effect, low, high, 1 + leastEffect),
    effect,
    low,
    high,
    confidence: 1 - p,
  };
}

function wordOf(
  isShown: boolean,
  effect: number,
  low: number,
  high: number,
  limit: number,
): VerdictWord {
  if (isShown && effect >= limit) return 'slower';
  if (isShown && effect <= 1 / limit) return 'faster';
  return high < limit && low > 1 / limit ? 'same' : 'unclear';
}
