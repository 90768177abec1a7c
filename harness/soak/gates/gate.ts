import type { Unit } from '../../quantity.ts';

export type GateKind =
  /** A statistic of one series against a number. */
  | 'limit'
  /** Two series, or one and a formula of others, in every sample. */
  | 'equality'
  /** How much the end of the run is above its beginning, as a share of it. */
  | 'growth'
  /**
   * The slope per thousand operations, with an interval: fails when the interval lies above the
   * budget.
   */
  | 'leak'
  /** Counted by the driver itself while the store was at rest. */
  | 'descriptors'
  /** How much was done at least. Below it the run says too little: inconclusive. */
  | 'floor';

export interface Gate {
  /** Unique in a run: `rss_bytes: max <= 300 * MB`. */
  readonly name: string;
  readonly kind: GateKind;
  /**
   * The series that it judges, a `name` of `Summary.series`; null when it judges none that is
   * sampled.
   */
  readonly series: string | null;
  /** Undefined in JSON becomes null: nothing was there to judge. */
  readonly value: number | null;
  readonly comparison: '<' | '<=' | '>' | '>=' | '==';
  /** The margin included. */
  readonly limit: number | null;
  readonly unit: Unit;
  readonly passed: boolean;
  /** `skipped`: this store or platform shows no such number. */
  readonly verdict: 'passed' | 'failed' | 'inconclusive' | 'skipped';
  /** The interval of the value, where it is an estimate. */
  readonly interval?: {
    readonly lower: number;
    readonly upper: number;
    readonly confidence: number;
  };
  /** The words for a person, in human units. */
  readonly detail: string;
  /**
   * Passed, although one estimate alone lies beyond the limit: the other, which must agree, does
   * not. `detail` says why.
   */
  readonly excused?: boolean;
  /** It ended the run before its time. */
  readonly aborted: boolean;
}
