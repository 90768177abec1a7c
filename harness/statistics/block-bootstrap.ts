import { quantileSorted } from 'simple-statistics';
import type { Prng } from '../prng.ts';

export interface Interval {
  readonly lower: number;
  readonly upper: number;
  readonly confidence: number;
}

/**
 * Moving blocks (Künsch 1989): indexes from 0 to `length - 1`, drawn in runs of neighbours, so that
 * samples that follow each other closely are not taken for independent ones.
 */
export function resampledIndexes(length: number, prng: Prng): number[] {
  const blockLength = Math.max(1, Math.min(length, Math.ceil(1.5 * Math.cbrt(length))));
  const indexes: number[] = [];
  while (indexes.length < length) {
    const start = prng.below(length - blockLength + 1);
    for (let offset = 0; offset < blockLength && indexes.length < length; offset++)
      indexes.push(start + offset);
  }
  return indexes;
}

/** The middle `confidence` of the estimates that `draw` gives. */
export function percentileInterval(
  draws: number,
  confidence: number,
  draw: () => number,
): Interval {
  const estimates = Float64Array.from({ length: draws }, draw).sort();
  const tail = (1 - confidence) / 2;
  const sorted = [...estimates];
  return {
    lower: quantileSorted(sorted, tail),
    upper: quantileSorted(sorted, 1 - tail),
    confidence,
  };
}
