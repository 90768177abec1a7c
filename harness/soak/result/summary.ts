import type { ExitCode } from '../../exit-code.ts';
import type { StoreUnderTestStats } from '../../store-under-test.ts';
import type { Gate } from '../gates/gate.ts';
import type { SoakConfiguration } from '../run/configuration.ts';
import type { HeapDiagnosis } from '../run/heap-diagnosis.ts';
import type { RunTotals } from '../run/ledger.ts';
import type { OperationLatency } from '../run/operation-latency.ts';
import type { RunEvent } from '../run/run-event.ts';
import type { RunOutcome } from '../run/run-outcome.ts';
import type { ProcessEnd } from '../run/store-process.ts';
import type { TelemetryReport } from '../run/store-telemetry.ts';
import type { SeriesDescription } from '../sampling/series.ts';
import type { Comparison } from './comparison.ts';
import type { Host, Versions } from './host.ts';
import type { Invariant } from './invariants.ts';
import type { Verdict } from './verdict.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const SUMMARY_SCHEMA = 2;

/** `summary.json`. Units stand in the names; times are wall-clock unless they are durations. */
export interface Summary {
  readonly schema: typeof SUMMARY_SCHEMA;
  readonly kind: 'tidemark-soak';
  readonly verdict: Verdict['word'];
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly reason: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly seed: number;
  /** Does the same operations again, under the same gates: one line for a POSIX shell. */
  readonly command: string;
  /**
   * `path` is null for a built-in profile, `name` null when the command line alone says what to do.
   */
  readonly profile: { readonly name: string | null; readonly path: string | null };
  readonly configuration: SoakConfiguration & { readonly sampleIntervalMs: number };
  readonly versions: Versions;
  readonly host: Host;
  /** What must hold of any store; one that does not ends with exit 1. */
  readonly invariants: readonly Invariant[];
  /** What must hold of its resources; one that does not ends with exit 99. */
  readonly gates: readonly Gate[];
  /** The comparison with an earlier run (`--baseline`); null without one. */
  readonly baseline: Comparison | null;
  readonly outcome: RunOutcome | null;
  readonly totals: RunTotals | null;
  readonly data: { readonly keyCount: number; readonly rowCount?: number };
  readonly userBytesPerSecond: number | null;
  readonly peakRssBytes: number | null;
  readonly descriptors: {
    /** Counts with the store closed, before the first write and after the last. */
    readonly closedBefore: number | null;
    readonly closedAfter: number | null;
    /** The least and the most over all samples, the store open or not. */
    readonly least: number | null;
    readonly most: number | null;
  };
  /**
   * The events in order of time. A long run keeps the first of each kind up to a limit;
   * `eventsDropped` counts the others.
   */
  readonly events: readonly RunEvent[];
  readonly eventsDropped: number;
  /**
   * The latencies of the whole run, every operation timed. Operations that never happened are left
   * out.
   */
  readonly latency: readonly OperationLatency[];
  /** Says in words which operations are missing from `latency`; null when none are. */
  readonly latencyCoverage: string | null;
  /** Which column of samples.csv shows which series, in which unit. */
  readonly series: readonly SeriesDescription[];
  /** Samples up to this many seconds are warm-up: no gate judges them. */
  readonly warmupEndsAtS: number;
  /** Null when no spans were exported. */
  readonly spans: (TelemetryReport['spans'] & { readonly preads: number }) | null;
  readonly sampleCount: number;
  /** What the adapter told of the store before it was closed for the last time. */
  readonly store: StoreUnderTestStats | null;
  readonly process: ProcessEnd & { readonly pid: number };
  /** What grew in the heap, where that was asked or a gate on it failed; otherwise null. */
  readonly heap: HeapDiagnosis | null;
  /** Where the store still lies, or null when it was removed. */
  readonly storeDirectory: string | null;
}
