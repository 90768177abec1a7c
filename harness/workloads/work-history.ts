import type { Outcome } from './hostile-values.ts';

/** Writes that overlapped. Their keys differ, so any of them may have come before any other. */
export interface WriteGroup {
  /** The number of the step that made them, as the workload counts. */
  readonly step: number;
  readonly writes: readonly WrittenOutcome[];
  /**
   * `done`: all were acknowledged. `failed`: at least one threw, so each may have happened or not.
   * `begun`: the process ended meanwhile.
   */
  readonly end: 'done' | 'failed' | 'begun';
}

export interface WrittenOutcome {
  readonly key: number;
  readonly outcome: Outcome;
}

/** What the store held at first, and what was written since, in the order in which it began. */
export interface WorkHistory {
  /** What keys held, by number; others held nothing. */
  readonly before: ReadonlyMap<number, Outcome>;
  readonly groups: readonly WriteGroup[];
}
