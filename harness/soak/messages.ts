import type { StoreUnderTestStats } from '../store-under-test.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { Phase, RunOutcome, RunTotals } from './soak-run.ts';
import type { TelemetryReport } from './store-telemetry.ts';

/** What observer and store process say to each other, over the IPC channel of `child_process.fork`. */

export type ToStoreProcess =
  | { readonly type: 'prepare'; readonly configuration: SoakConfiguration }
  | { readonly type: 'run'; readonly directory: string }
  | { readonly type: 'sample' }
  /** The answer to 'checkpoint' and 'ended': everything was looked at, go on. */
  | { readonly type: 'continue' }
  /** End in order, without the final comparison. */
  | { readonly type: 'stop' };

export type FromStoreProcess =
  /** Adapter and input are usable. `goalBytes` is undefined when only the time ends the run. */
  | {
      readonly type: 'prepared';
      readonly keyCount: number;
      readonly rowCount?: number;
      readonly goalBytes?: number;
    }
  /** Nothing was written: adapter, input or directory cannot be used. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'sampled'; readonly inside: InsideSample }
  | ({ readonly type: 'checkpoint' } & Checkpoint)
  | { readonly type: 'ended'; readonly outcome: RunOutcome; readonly totals: RunTotals }
  /** After the store was closed, when telemetry was asked for. */
  | { readonly type: 'telemetry'; readonly report: TelemetryReport };

/** A moment at which the store does nothing, so that descriptors counted from outside can be compared exactly. */
export interface Checkpoint {
  readonly store: 'open' | 'closed';
  readonly stats?: StoreUnderTestStats;
}

/** What only the store process can say of itself. */
export interface InsideSample {
  readonly phase: Phase;
  readonly totals: RunTotals;
  readonly liveKeys: number;
  /** While the store is not open, what it said last; undefined when the adapter has none. */
  readonly stats?: StoreUnderTestStats;
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly arrayBuffersBytes: number;
  /** Since the sample before. */
  readonly eventLoopDelayMs: { readonly mean: number; readonly p99: number; readonly max: number };
}
