import type { StoreUnderTestStats } from '../store-under-test.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { Host, Versions } from './host.ts';
import type { RunTotals } from './ledger.ts';
import type { Unit } from './report/quantity.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { ProcessEnd } from './store-process.ts';
import type { TelemetryReport } from './store-telemetry.ts';
import type { Verdict } from './verdict.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const SUMMARY_SCHEMA = 2;

/** `summary.json`. Units stand in the names; times are wall-clock unless they are durations. */
export interface Summary {
  readonly schema: typeof SUMMARY_SCHEMA;
  readonly kind: 'tidemark-soak';
  readonly verdict: Verdict['word'];
  readonly exitCode: number;
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
  /** Of a comparison with an earlier run (`--baseline`); null without. */
  readonly baseline: Comparison | null;
  readonly outcome: RunOutcome | null;
  readonly totals: RunTotals | null;
  readonly data: { readonly keyCount: number; readonly rowCount?: number };
  readonly userBytesPerSecond: number | null;
  readonly peakRssBytes: number | null;
  readonly descriptors: {
    /** With the store closed, before the first write and after the last. */
    readonly closedBefore: number | null;
    readonly closedAfter: number | null;
    /** Over all samples; the store open or not. */
    readonly least: number | null;
    readonly most: number | null;
  };
  /**
   * In order of time. A long run keeps the first of each kind up to a limit; `eventsDropped` counts
   * the others.
   */
  readonly events: readonly RunEvent[];
  readonly eventsDropped: number;
  /** Of the whole run, every operation timed; those that never happened are left out. */
  readonly latency: readonly OperationLatency[];
  /** In words, when not all that were done could be told of; null when they were. */
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
  /** Where the store still lies, or null when it was removed. */
  readonly storeDirectory: string | null;
}

export interface Invariant {
  readonly name: InvariantName;
  /** In words, as it should be: `a key that was put is there`. */
  readonly meaning: string;
  readonly holds: boolean;
  /** What was seen instead; empty when it holds. */
  readonly violations: readonly string[];
}

export type InvariantName =
  | 'nothing_lost'
  | 'nothing_wrong'
  | 'nothing_resurrected'
  | 'nothing_invented'
  | 'store_did_not_fail'
  | 'process_did_not_crash'
  | 'spans_add_up';

export type GateKind =
  /** A statistic of one series against a number. */
  | 'limit'
  /** Two series, or one and a formula of others, in every sample. */
  | 'equality'
  /** How much the end of the run is above its beginning, as a share of it. */
  | 'growth'
  /**
   * A slope a thousand operations, with an interval: fails when the interval lies above the budget.
   */
  | 'leak'
  /** Counted by the driver itself while the store was at rest. */
  | 'descriptors';

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
  /** Of the value, where it is an estimate. */
  readonly interval?: {
    readonly lower: number;
    readonly upper: number;
    readonly confidence: number;
  };
  /** For a person, in human units. */
  readonly detail: string;
  /**
   * Passed, although one estimate alone lies beyond the limit: the other, which must agree, does
   * not. `detail` says why.
   */
  readonly excused?: boolean;
  /** It ended the run before its time. */
  readonly aborted: boolean;
}

export interface RunEvent {
  readonly kind: 'rotation' | 'compaction' | 'reopen' | 'kill';
  /** When it ended (a rotation: when it was first seen), since the beginning of the run. */
  readonly elapsedS: number;
  /** Of compactions, reopens, and kills (with the recovery); 0 for a rotation. */
  readonly durationMs: number;
  /** Operations done until then. */
  readonly operations: number;
}

export interface OperationLatency {
  readonly operation: LatencyOperation;
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /**
   * Ascending; `count` of those above the bucket before and at most `upToUs`. The counts add up to
   * `count`.
   */
  readonly buckets: readonly { readonly upToUs: number; readonly count: number }[];
}

export type LatencyOperation = 'put' | 'get' | 'delete' | 'sync';

export interface SeriesDescription {
  readonly name: string;
  /** Of samples.csv. A value there times `columnScale` is the series in `unit`. */
  readonly column: string;
  readonly columnScale: number;
  readonly unit: Unit;
  readonly title: string;
}

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
