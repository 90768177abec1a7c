import { basename } from 'node:path';
import { ExitCode } from '../exit-code.ts';
import { complain, print } from '../standard-streams.ts';
import { formatCount } from '../units.ts';
import { AbortWatch } from './gates/abort-watch.ts';
import { judgeFloors } from './gates/floors.ts';
import type { Gate } from './gates/gate.ts';
import { judgeGates } from './gates/gates.ts';
import { askAboutTheHeap, isAboutTheHeap } from './heap-question.ts';
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
import type { Summary } from './result/summary.ts';
import { describeSummary } from './result/summary-text.ts';
import { judge } from './result/verdict.ts';
import { describeHeapDiagnosis, type HeapDiagnosis } from './run/heap-diagnosis.ts';
import type { Prepared } from './run/store-process.ts';

/** What is known once a run has begun. */
interface Begun {
  readonly directories: RunDirectories;
  readonly host: Host;
}

export interface SoakRun {
  readonly progress: Progress;
  /** Ends the run in order, as SIGTERM does; a store that does not stop soon is killed. */
  readonly signal?: AbortSignal;
  /** SIGINT and SIGTERM of this process end the run in order; a second one kills the store. */
  readonly listensForSignals?: boolean;
}

/** What a run came to, and the files that it wrote. */
export interface SoakResult {
  readonly summary: Summary;
  readonly written: readonly string[];
  /** Why the report is not complete, if it is not. */
  readonly reportFailure: string | undefined;
}

/** The command: one run, from its options to its last line. Throws `UsageError` and `Refusal`. */
export async function soakCommand(options: SoakOptions): Promise<ExitCode> {
  const { summary, written, reportFailure } = await soak(options, {
    progress: progressOn(process.stderr),
    listensForSignals: true,
  });
  print(`${describeSummary(summary, written)}`);
  if (reportFailure === undefined) return summary.exitCode;
  complain(`soak: the report is not complete: ${reportFailure}`);
  return summary.exitCode === ExitCode.pass ? ExitCode.inconclusive : summary.exitCode;
}

/**
 * One run, without a word to the terminal but through `progress`. Throws `UsageError` and
 * `Refusal`.
 */
export async function soak(given: SoakOptions, run: SoakRun): Promise<SoakResult> {
  const options = await withMetricsToServe(given);
  const { configuration, storeDirectory, baselineDirectory, thresholds } = options;
  if (storeDirectory !== undefined) checkEmpty('--dir', storeDirectory, options.force);
  // Before anything is written: the report of the base may lie where this one goes.
  const baseline = baselineDirectory === undefined ? undefined : readBaseline(baselineDirectory);
  const startedAt = new Date();
  const { progress, signal, listensForSignals = false } = run;
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
        temporaryPath: options.temporaryPath,
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
  const signals = listensForSignals ? (['SIGINT', 'SIGTERM'] as const) : [];
  for (const name of signals) process.on(name, interrupt);
  const stop = onAbort(signal, interrupt);
  try {
    const observation = await observer.run();
    progress.end();
    const seen = { startedAt, baseline, watch, observation, ...(begun as unknown as Begun) };
    const result = await conclude(options, seen, run);
    live?.finish(options.outDirectory);
    return result;
  } catch (error) {
    progress.end();
    if (error instanceof Refusal) (begun as Begun | undefined)?.directories.discardAll();
    throw error;
  } finally {
    for (const name of signals) process.off(name, interrupt);
    stop();
    await live?.close();
  }
}

interface Seen extends Begun {
  readonly startedAt: Date;
  readonly baseline: Baseline | undefined;
  readonly watch: AbortWatch;
  readonly observation: Observation;
}

async function conclude(
  options: SoakOptions,
  seen: Seen,
  { progress, signal }: SoakRun,
): Promise<SoakResult> {
  const { directories, host, startedAt, observation } = seen;
  const { configuration, thresholds, maxRssBytes } = options;
  const { seed } = configuration;
  const judged = [
    ...judgeGates(observation, { thresholds, maxRssBytes, seed }),
    ...floorsOf(observation, configuration),
  ];
  const found = judged.map((gate) =>
    gate.name === seen.watch.failed?.name ? seen.watch.failed : gate,
  );
  const isAsked = options.diagnosesHeap || found.some(isAboutTheHeap);
  if (isAsked) progress.print('soak: comparing two snapshots of the heap of a fresh store');
  const heap = isAsked
    ? await askAboutTheHeap(configuration, directories.diagnosisPath, signal)
    : undefined;
  const gates = found.map((gate) =>
    heap !== undefined && isAboutTheHeap(gate) ? withDiagnosis(gate, heap) : gate,
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
    heap,
  });
  const warnings = await writeReports(directories, options, summary, metrics);
  for (const warning of warnings) progress.print(`soak: history: ${warning}`);
  const { reportFailure } = directories;
  return { summary, written: directories.written(), reportFailure };
}

/** Whoever reads of the gate reads what grew, in whichever report. */
function withDiagnosis(gate: Gate, heap: HeapDiagnosis): Gate {
  return { ...gate, detail: `${gate.detail}; ${describeHeapDiagnosis(heap).join('; ')}` };
}

/** How long a store may take to stop in order before it is killed. */
const STOP_WITHIN_MS = 5_000;

/** Calls `interrupt` when the signal aborts, and again a little later; the answer undoes that. */
function onAbort(
  signal: AbortSignal | undefined,
  interrupt: (signal: NodeJS.Signals) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const abort = () => {
    interrupt('SIGTERM');
    timer = setTimeout(() => interrupt('SIGTERM'), STOP_WITHIN_MS);
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
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
