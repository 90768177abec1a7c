import type { Unit } from '../../quantity.ts';

/** This run against an earlier one. */
export interface Comparison {
  readonly directory: string;
  readonly startedAt: string;
  readonly seed: number;
  /**
   * What makes the comparison weaker than it could be: another machine class, another seed, another
   * version.
   */
  readonly warnings: readonly string[];
  readonly rows: readonly ComparisonRow[];
}

export interface ComparisonRow {
  readonly name: string;
  readonly unit: Unit;
  readonly base: number | null;
  readonly head: number | null;
  /** Relative change, 0.2 being 20 % more; null where it means nothing. */
  readonly change: number | null;
  readonly interval?: {
    readonly lower: number;
    readonly upper: number;
    readonly confidence: number;
  };
  readonly verdict: 'same' | 'better' | 'worse' | 'different' | 'unclear' | 'not compared';
  /**
   * A deterministic count that is compared exactly, or a time that needs an interval and a minimum
   * effect.
   */
  readonly kind: 'count' | 'time';
  readonly blocks: boolean;
}
