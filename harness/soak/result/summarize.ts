import type { Gate } from '../gates/gate.ts';
import type { SoakOptions } from '../options/options.ts';
import type { HeapDiagnosis } from '../run/heap-diagnosis.ts';
import { describeSeries } from '../sampling/series.ts';
import type { Comparison } from './comparison.ts';
import type { Host, Versions } from './host.ts';
import { describeInvariants } from './invariants.ts';
import { describeCoverage } from './latency-coverage.ts';
import type { Observation } from './observation.ts';
import { SUMMARY_SCHEMA, type Summary } from './summary.ts';
import type { Verdict } from './verdict.ts';

export interface SummaryParts {
  readonly options: SoakOptions;
  readonly observation: Observation;
  readonly gates: readonly Gate[];
  readonly verdict: Verdict;
  readonly baseline: Comparison | undefined;
  readonly host: Host;
  readonly versions: Versions;
  readonly startedAt: Date;
  readonly storeDirectory: string | undefined;
  readonly heap: HeapDiagnosis | undefined;
}

export function summarize(parts: SummaryParts): Summary {
  const { options, observation, verdict } = parts;
  const { totals, checkpoints, samples, durationMs } = observation;
  const lastLife = checkpoints.at(-1)?.life;
  const closed = checkpoints.filter(({ store, life }) => store === 'closed' && life === lastLife);
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
    profile: options.profile,
    invariants: describeInvariants(observation),
    gates: parts.gates,
    baseline: parts.baseline ?? null,
    events: observation.events.events,
    eventsDropped: observation.events.dropped,
    latency: observation.latency,
    latencyCoverage: describeCoverage(observation.latency, totals ?? null) ?? null,
    series: describeSeries(),
    warmupEndsAtS: observation.warmupEndsAtS,
    outcome: observation.outcome ?? null,
    totals: totals ?? null,
    data: {
      keyCount: observation.keyCount,
      ...(observation.rowCount === undefined ? {} : { rowCount: observation.rowCount }),
    },
    userBytesPerSecond:
      totals === undefined ? null : Math.round(totals.bytesWritten / (durationMs / 1000)),
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
    heap: parts.heap ?? null,
  };
}

function spansOf({ telemetry }: Observation): Summary['spans'] {
  return telemetry?.spans === undefined ? null : { preads: telemetry.preads, ...telemetry.spans };
}
