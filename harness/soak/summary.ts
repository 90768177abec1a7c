import type { StoreUnderTestStats } from '../store-under-test.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { Gate } from './gates.ts';
import type { Host, Versions } from './host.ts';
import type { Observation } from './observer.ts';
import type { SoakOptions } from './options.ts';
import type { RunOutcome, RunTotals } from './soak-run.ts';
import type { ProcessEnd } from './store-process.ts';
import type { TelemetryReport } from './store-telemetry.ts';
import type { Verdict } from './verdict.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const SUMMARY_SCHEMA = 1;

/** `summary.json`. Units stand in the names; times are wall-clock unless they are durations. */
export interface Summary {
  readonly schema: typeof SUMMARY_SCHEMA;
  readonly kind: 'tidemark-soak';
  readonly verdict: Verdict['word'];
  readonly exitCode: number;
  readonly reason: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly seed: number;
  /** Does the same operations again. */
  readonly command: string;
  readonly configuration: SoakConfiguration & { readonly sampleIntervalMs: number };
  readonly versions: Versions;
  readonly host: Host;
  readonly gates: readonly Gate[];
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
  /** Null when no spans were exported. */
  readonly spans: (TelemetryReport['spans'] & { readonly preads: number }) | null;
  readonly sampleCount: number;
  /** What the adapter told of the store before it was closed for the last time. */
  readonly store: StoreUnderTestStats | null;
  readonly process: ProcessEnd & { readonly pid: number };
  /** Where the store still lies, or null when it was removed. */
  readonly storeDirectory: string | null;
}

export interface SummaryParts {
  readonly options: SoakOptions;
  readonly observation: Observation;
  readonly gates: readonly Gate[];
  readonly verdict: Verdict;
  readonly host: Host;
  readonly versions: Versions;
  readonly startedAt: Date;
  readonly storeDirectory: string | undefined;
}

export function summarize(parts: SummaryParts): Summary {
  const { options, observation, verdict } = parts;
  const { totals, checkpoints, samples, durationMs } = observation;
  const closed = checkpoints.filter(({ store }) => store === 'closed');
  const sampled = samples.flatMap(({ outside }) => outside.descriptors?.open ?? []);
  return {
    schema: SUMMARY_SCHEMA,
    kind: 'tidemark-soak',
    verdict: verdict.word,
    exitCode: verdict.exitCode,
    reason: verdict.reason,
    startedAt: parts.startedAt.toISOString(),
    durationMs: Math.round(durationMs),
    seed: options.configuration.seed,
    command: options.command,
    configuration: { ...options.configuration, sampleIntervalMs: options.sampleIntervalMs },
    versions: parts.versions,
    host: parts.host,
    gates: parts.gates,
    outcome: observation.outcome ?? null,
    totals: totals ?? null,
    data: {
      keyCount: observation.keyCount,
      ...(observation.rowCount === undefined ? {} : { rowCount: observation.rowCount }),
    },
    userBytesPerSecond: totals === undefined ? null : Math.round(totals.bytesWritten / (durationMs / 1000)),
    peakRssBytes: observation.peakRssBytes ?? null,
    descriptors: {
      closedBefore: closed[0]?.descriptors?.open ?? null,
      closedAfter: closed.at(-1)?.descriptors?.open ?? null,
      least: sampled.length === 0 ? null : Math.min(...sampled),
      most: sampled.length === 0 ? null : Math.max(...sampled),
    },
    spans: spansOf(observation),
    sampleCount: samples.length,
    store: checkpoints.findLast(({ stats }) => stats !== undefined)?.stats ?? null,
    process: { pid: observation.pid, ...observation.processEnd },
    storeDirectory: parts.storeDirectory ?? null,
  };
}

function spansOf({ telemetry }: Observation): Summary['spans'] {
  return telemetry?.spans === undefined ? null : { preads: telemetry.preads, ...telemetry.spans };
}
