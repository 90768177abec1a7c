import type { InsideSample } from '../run/messages.ts';
import type { ProcessView } from './process-view.ts';

/** The store process at one moment, from outside and inside. */
export interface Sample {
  readonly elapsedS: number;
  /** Which store process it was of: 0 for the first, one more after each kill. */
  readonly life: number;
  readonly outside: ProcessView;
  /** Undefined when the process did not answer in time. */
  readonly inside: InsideSample | undefined;
}
