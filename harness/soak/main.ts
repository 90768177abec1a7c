#!/usr/bin/env node
import { basename } from 'node:path';
import { ExitCode } from '../exit-code.ts';
import { formatCount } from '../units.ts';
import { checkEmpty, RunDirectories, shown } from './directories.ts';
import { judgeGates } from './gates.ts';
import { describeHost, describeVersions, type Host } from './host.ts';
import { type Observation, Observer, type Prepared, Refusal } from './observer.ts';
import { parseOptions, type SoakOptions, UsageError } from './options.ts';
import { progressOn } from './progress.ts';
import { summarize } from './summary.ts';
import { describeSummary } from './summary-text.ts';
import { judge } from './verdict.ts';

// A pipe that was closed, as `| head` does, is no reason to end a soak.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  const options = parseOptions(process.argv.slice(2));
  if (options !== undefined) process.exitCode = await soak(options);
} catch (error) {
  const isExpected = error instanceof UsageError || error instanceof Refusal;
  process.stderr.write(`soak: ${isExpected ? error.message : (error as Error).stack}\n`);
  if (error instanceof Refusal) process.exitCode = error.exitCode;
  // What fails in the observer itself says nothing of the store.
  else process.exitCode = isExpected ? ExitCode.usage : ExitCode.inconclusive;
}

/** What is known once a run has begun. */
interface Begun {
  readonly directories: RunDirectories;
  readonly host: Host;
}

async function soak(options: SoakOptions): Promise<ExitCode> {
  if (options.storeDirectory !== undefined) checkEmpty('--dir', options.storeDirectory);
  const startedAt = new Date();
  const progress = progressOn(process.stderr);
  let begun: Begun | undefined;
  const observer = new Observer({
    configuration: options.configuration,
    sampleIntervalMs: options.sampleIntervalMs,
    progress,
    begin: (prepared, pid) => {
      const directories = new RunDirectories(options);
      begun = { directories, host: describeHost(directories.store) };
      progress.print(describeBeginning(options, prepared, pid));
      return directories.store;
    },
    sampled: (sample) => begun?.directories.addSample(sample),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => observer.interrupt(signal));
  try {
    const observation = await observer.run();
    progress.end();
    return conclude(options, startedAt, begun as unknown as Begun, observation);
  } catch (error) {
    progress.end();
    if (error instanceof Refusal) (begun as Begun | undefined)?.directories.discardAll();
    throw error;
  }
}

function conclude(
  options: SoakOptions,
  startedAt: Date,
  { directories, host }: Begun,
  observation: Observation,
): ExitCode {
  const { samples, checkpoints, peakRssBytes } = observation;
  const gates = judgeGates({ samples, checkpoints, peakRssBytes, maxRssBytes: options.maxRssBytes });
  if (observation.telemetry !== undefined) directories.writeMetrics(observation.telemetry.metricsText);
  const verdict = judge(observation, gates);
  // After an interrupt nobody will look at it; after anything else that is not a pass, somebody should.
  const discarded = ['pass', 'interrupted'].includes(verdict.word) && directories.discardStore();
  const summary = summarize({
    options,
    observation,
    gates,
    verdict,
    host,
    versions: describeVersions(),
    startedAt,
    storeDirectory: discarded ? undefined : directories.store,
  });
  const written = directories.writeSummary(summary);
  process.stdout.write(`${describeSummary(summary, written)}\n`);
  if (directories.reportFailure === undefined) return verdict.exitCode;
  process.stderr.write(`soak: the report is not complete: ${directories.reportFailure}\n`);
  return verdict.exitCode === ExitCode.pass ? ExitCode.inconclusive : verdict.exitCode;
}

function describeBeginning(
  { configuration }: SoakOptions,
  { keyCount, rowCount }: Prepared,
  pid: number,
): string {
  const { adapter, input, seed } = configuration;
  const keys = `${formatCount(keyCount)} keys`;
  const data =
    input === undefined ? keys : `${formatCount(rowCount ?? 0)} lines and ${keys} of ${basename(input.path)}`;
  return `soak: ${shown(adapter)} with ${data}, seed ${seed}, store process ${pid}`;
}
