import { basename } from 'node:path';
import { ExitCode } from '../exit-code.ts';
import { complain, print } from '../standard-streams.ts';
import { formatCount } from '../units.ts';
import { AbortWatch } from './gates/abort-watch.ts';
import { judgeFloors } from './gates/floors.ts';
import type { Gate } from './gates/gate.ts';
import { judgeGates } from './gates/gates.ts';
import { LiveView, withMetricsToServe } from './live-view.ts';
import { Observer } from './observer.ts';
import type { SoakOptions } from './options/options.ts';
import { type Progress, progressOn } from './progress.ts';
import { Refusal } from './refusal.ts';
import { writeReports } from './reports.ts';
import {
  type Baseline,
  compareWithBaseline,
  readBaseline,
  regressionsOf,
} from './result/baseline.ts';
import { checkEmpty, RunDirectories, shown } from './result/directories.ts';
import { describeHost, describeVersions, type Host } from './result/host.ts';
import { metricsOf } from './result/metrics.ts';
import type { Observation } from './result/observation.ts';
import { summarize } from './result/summarize.ts';
import { describeSummary } from './result/summary-text.ts';
import { judge } from './result/verdict.ts';
import type { Prepared } from './run/store-process.ts';

/** What is known once a run has begun. */
interface Begun {
  readonly directories: RunDirectories;
  readonly host: Host;
}

/** One run, from the command line to its report. Throws `UsageError` and `Refusal`. */
export async function soak(given: SoakOptions): Promise<ExitCode> {
  const options = await withMetricsToServe(given);
  const { configuration, storeDirectory, baselineDirectory, thresholds } = options;
  if (storeDirectory !== undefined) checkEmpty('--dir', storeDirectory, options.force);
  // Before anything is written: the report of the base may lie where this one goes.
  const baseline = baselineDirectory === undefined ? undefined : readBaseline(baselineDirectory);
  const startedAt = new Date();
  const progress = progressOn(process.stderr);
  const watch = new AbortWatch(thresholds, configuration.seed);
  const live = await LiveView.open(options, startedAt, progress);
  let begun: Begun | undefined;
  const observer = new Observer({
    configuration,
    sampleIntervalMs: options.sampleIntervalMs,
    warmupShare: options.warmupShare,
    progress,
    begin: (prepared, pid) => {
      const directories = new RunDirectories(options);
      begun = { directories, host: describeHost(directories.store) };
      progress.print(describeBeginning(options, prepared, pid));
      return {
        storeDirectory: directories.store,
        acknowledgementPath: directories.acknowledgementPath,
      };
    },
    sampled: (sample, isWarm) => {
      begun?.directories.addSample(sample);
      live?.addSample(sample, isWarm);
      return watch.add(sample, isWarm);
    },
    happened: (event) => live?.addEvent(event),
  });
  const interrupt = (signal: NodeJS.Signals) => observer.interrupt(signal as 'SIGINT' | 'SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    const observation = await observer.run();
    progress.end();
    const seen = { startedAt, baseline, watch, observation, ...(begun as unknown as Begun) };
    const exitCode = await conclude(options, seen, progress);
    live?.finish(options.outDirectory);
    return exitCode;
  } catch (error) {
    progress.end();
    if (error instanceof Refusal) (begun as Begun | undefined)?.directories.discardAll();
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    await live?.close();
  }
}

interface Seen extends Begun {
  readonly startedAt: Date;
  readonly baseline: Baseline | undefined;
  readonly watch: AbortWatch;
  readonly observation: Observation;
}

async function conclude(options: SoakOptions, seen: Seen, progress: Progress): Promise<ExitCode> {
  const { directories, host, startedAt, observation } = seen;
  const { configuration, thresholds, maxRssBytes } = options;
  const { seed } = configuration;
  const judged = [
    ...judgeGates(observation, { thresholds, maxRssBytes, seed }),
    ...floorsOf(observation, configuration),
  ];
  const gates = judged.map((gate) =>
    gate.name === seen.watch.failed?.name ? seen.watch.failed : gate,
  );
  const metrics = metricsOf(observation);
  const versions = describeVersions();
  const { totals = null, outcome = null } = observation;
  const head = { configuration, seed, host, versions, totals, outcome };
  const comparison =
    seen.baseline === undefined
      ? undefined
      : compareWithBaseline(seen.baseline, head, metrics, options.leastEffect);
  for (const warning of comparison?.warnings ?? []) progress.print(`soak: baseline: ${warning}`);
  if (observation.telemetry !== undefined)
    directories.writeMetrics(observation.telemetry.metricsText);
  const verdict = judge(
    observation,
    gates,
    comparison === undefined ? [] : regressionsOf(comparison),
  );
  // After an interrupt nobody will look at it; after anything else that is not a pass, somebody
  // should.
  const discarded = ['pass', 'interrupted'].includes(verdict.word) && directories.discardStore();
  const summary = summarize({
    options,
    observation,
    gates,
    verdict,
    host,
    versions,
    startedAt,
    baseline: comparison,
    storeDirectory: discarded ? undefined : directories.store,
  });
  const warnings = await writeReports(directories, options, summary, metrics);
  for (const warning of warnings) progress.print(`soak: history: ${warning}`);
  print(`${describeSummary(summary, directories.written())}`);
  if (directories.reportFailure === undefined) return verdict.exitCode;
  complain(`soak: the report is not complete: ${directories.reportFailure}`);
  return verdict.exitCode === ExitCode.pass ? ExitCode.inconclusive : verdict.exitCode;
}

/**
 * A run that did not come to its end is judged by what it saw; nobody expects it to have done all.
 */
function floorsOf(
  { outcome, totals, keyCount, canCompact, canSync, kills }: Observation,
  configuration: SoakOptions['configuration'],
): Gate[] {
  if (outcome?.kind !== 'completed' || totals === undefined) return [];
  return judgeFloors({ configuration, totals, keyCount, canCompact, canSync, kills });
}

function describeBeginning(
  { configuration }: SoakOptions,
  { keyCount, rowCount }: Prepared,
  pid: number,
): string {
  const { adapter, input, seed } = configuration;
  const keys = `${formatCount(keyCount)} keys`;
  const data =
    input === undefined
      ? keys
      : `${formatCount(rowCount ?? 0)} lines and ${keys} of ${basename(input.path)}`;
  return `soak: ${shown(adapter)} with ${data}, seed ${seed}, store process ${pid}`;
}
