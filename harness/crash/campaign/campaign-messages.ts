import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { Invariant } from '../promises/invariants.ts';
import type { CrashStateCounts } from '../states/crash-states.ts';

/**
 * What the campaign and its workers say to each other, over the IPC channel of
 * `child_process.fork`.
 */

export type ToStatesWorker =
  | { readonly type: 'check'; readonly task: StatesTask }
  /** Answer soon, with what there is. */
  | { readonly type: 'stop' }
  /** There is nothing more to do. */
  | { readonly type: 'end' };

export type FromStatesWorker =
  /**
   * What the present task has counted up to now. Comes at least once a second unless something
   * hangs.
   */
  | { readonly type: 'counts'; readonly counts: CrashStateCounts }
  | { readonly type: 'checked'; readonly answer: StatesAnswer };

/** One workload and its crash states. */
export interface StatesTask {
  readonly seed: number;
  readonly stepCount: number;
  /** Only these of the steps, by their numbers. */
  readonly onlySteps: readonly number[] | undefined;
  /** Where images may be written as real files. */
  readonly diskDirectory: string;
}

export interface StatesAnswer {
  readonly counts: CrashStateCounts;
  readonly isComplete: boolean;
  readonly finding: ReportedFinding | undefined;
}

/** What broke an invariant, in the shortest workload that does. */
export interface ReportedFinding {
  readonly invariant: Invariant;
  readonly message: string;
  /** Where the engine threw, when it was no error that it means to throw. */
  readonly stack: string | undefined;
  /** Event of the trace before which the power went. */
  readonly at: number;
  readonly depth: 0 | 1 | 2;
  readonly image: DiskImage;
  /** Steps of the workload that failed first. */
  readonly stepCount: number;
  /** Those that are left of them, by their numbers and in words. */
  readonly kept: readonly { readonly number: number; readonly text: string }[];
}
