import type { StoreUnderTestStats } from '../../store-under-test.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { HeapSnapshots } from './heap-diagnosis.ts';
import type { IntervalLatency, OperationDurations } from './latency.ts';
import type { RunTotals } from './ledger.ts';
import type { LatencyOperation } from './operation-latency.ts';
import type { Phase } from './phase.ts';
import type { Adoption, Survived } from './replay.ts';
import type { RunEvent } from './run-event.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { TelemetryReport } from './store-telemetry.ts';

/**
 * What observer and store process say to each other, over the IPC channel of `child_process.fork`.
 */

export type ToStoreProcess =
  | { readonly type: 'prepare'; readonly configuration: SoakConfiguration }
  | {
      readonly type: 'run';
      readonly directory: string;
      /** Where to note what the store has acknowledged; only where kills are planned. */
      readonly acknowledgementPath?: string;
      /** Removed when the observer is gone without a word. */
      readonly temporaryPath?: string;
      /** Earlier processes of this run were killed. */
      readonly resume?: Resume;
    }
  /** Instead of 'run': a workload on a fresh store, with a look at the heap before and after. */
  | { readonly type: 'diagnose-heap'; readonly directory: string }
  | { readonly type: 'sample' }
  /** The answer to 'checkpoint' and 'ended': everything was looked at, go on. */
  | { readonly type: 'continue' }
  /**
   * The answer to 'checkpoint': something is still going on in the store, so ask again in a moment.
   */
  | { readonly type: 'recount' }
  /** End in order, without the final comparison. */
  | { readonly type: 'stop' };

export interface Resume {
  readonly settled: readonly Survived[];
  readonly last: Omit<Survived, 'adoptions'>;
  /** That the run has taken until now. */
  readonly elapsedS: number;
}

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
  | {
      readonly type: 'sampled';
      readonly inside: InsideSample;
      /** Since the sample before. */
      readonly durations: OperationDurations;
    }
  /** The store was opened after a kill, and what was open is settled. */
  | { readonly type: 'recovered'; readonly adoptions: readonly Adoption[] }
  | { readonly type: 'heap-snapshots'; readonly snapshots: HeapSnapshots }
  | { readonly type: 'event'; readonly event: Omit<RunEvent, 'elapsedS'> }
  | ({ readonly type: 'checkpoint' } & Checkpoint)
  | {
      readonly type: 'ended';
      readonly outcome: RunOutcome;
      readonly totals: RunTotals;
      readonly canCompact: boolean;
      readonly canSync: boolean;
      readonly durations: OperationDurations;
    }
  /** Sent after the store was closed, when telemetry was asked for. */
  | { readonly type: 'telemetry'; readonly report: TelemetryReport };

/**
 * A moment at which the store does nothing, so that descriptors counted from outside can be
 * compared exactly.
 */
export interface Checkpoint {
  readonly store: 'open' | 'closed';
  readonly stats?: StoreUnderTestStats;
  /** How often the observer may still ask for another count. */
  readonly recountsLeft: number;
}

/** What only the store process can say of itself. */
export interface InsideSample {
  readonly phase: Phase;
  readonly totals: RunTotals;
  readonly liveKeys: number;
  /** Keys and values of the live set. */
  readonly liveBytes: number;
  /** Spent in the workload, without opening, compacting and checking. */
  readonly workloadMs: number;
  /** While the store is not open, what it said last; undefined when the adapter has none. */
  readonly stats?: StoreUnderTestStats;
  readonly heapUsedBytes: number;
  /** The heap after a full collection; not in every sample, because that costs. */
  readonly heapUsedAfterGcBytes?: number;
  readonly externalBytes: number;
  readonly arrayBuffersBytes: number;
  /** Since the sample before. */
  readonly eventLoopDelayMs: { readonly mean: number; readonly p99: number; readonly max: number };
  /** Since the sample before; those that happened. */
  readonly latency: Partial<Record<LatencyOperation, IntervalLatency>>;
  /** Spans that an exporter could not deliver; only where spans are exported. */
  readonly telemetryDrops?: number;
}
