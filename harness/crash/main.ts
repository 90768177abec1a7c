#!/usr/bin/env node
import { join } from 'node:path';
import { ContractError } from '../contract.ts';
import { ExitCode } from '../exit-code.ts';
import { describeHost, describeVersions } from '../soak/result/host.ts';
import { complain, print, watchStandardStreams } from '../standard-streams.ts';
import { AdapterError } from '../store-under-test.ts';
import { type CampaignPart, runCampaign } from './campaign/campaign.ts';
import {
  type CampaignOptions,
  CampaignUsageError,
  PROFILES,
  parseCampaignOptions,
  STORE_PROFILES,
} from './campaign/campaign-options.ts';
import {
  blocksPart,
  faultsPart,
  hostPart,
  killsPart,
  rotPart,
} from './campaign/campaign-other-parts.ts';
import { campaignProgress } from './campaign/campaign-progress.ts';
import { statesPart } from './campaign/campaign-states.ts';
import { storeCutsPart, storeFaultsPart, storeKillsPart } from './campaign/campaign-store-parts.ts';
import { describeCampaign, junitCases, summarizeCampaign } from './campaign/crash-report.ts';
import { CrashReportFiles } from './campaign/crash-report-files.ts';
import {
  describeMutants,
  mutantsExitCode,
  mutantsJson,
  mutantsMarkdown,
} from './campaign/crash-report-mutants.ts';
import { type MutantResult, noMutation, runMutants } from './campaign/mutants-run.ts';
import { probeStore } from './kills/store-subject.ts';
import { MUTANTS } from './plants/mutants.ts';
import { junitXml } from './report/crash-report-junit.ts';

const SUMMARY_FILE = 'summary.json';
const JUNIT_FILE = 'junit.xml';
const MUTANTS_JSON_FILE = 'mutants.json';
const MUTANTS_MARKDOWN_FILE = 'mutants.md';

watchStandardStreams('crash');

try {
  const options = parseCampaignOptions(process.argv.slice(2));
  if (options !== undefined)
    process.exitCode = await (options.mutants ? hunt(options) : crash(options));
} catch (error) {
  const isUsage =
    error instanceof CampaignUsageError ||
    error instanceof AdapterError ||
    error instanceof ContractError;
  if (!isUsage) throw error;
  complain(`crash: ${error.message}`);
  process.exitCode = ExitCode.usage;
}

/** What a campaign consists of, in the order in which it runs. */
async function partsOf(options: CampaignOptions): Promise<CampaignPart[]> {
  if (options.store !== undefined) return storePartsOf(options, options.store);
  const { only, profile, statesSeconds } = options;
  if (only !== undefined) return [statesPart({ ...options, goal: { onlySteps: only.steps } })];
  const { kills, blocks, host, whole } = PROFILES[profile];
  return [
    statesPart({ ...options, goal: { seconds: statesSeconds } }),
    killsPart(options, kills),
    blocksPart(options, blocks),
    hostPart(options, host, whole),
    faultsPart(options, whole ? 'whole' : 'tiny'),
    rotPart(options, whole ? undefined : [0, 7]),
  ];
}

async function storePartsOf(
  options: CampaignOptions,
  { adapter, overrides }: NonNullable<CampaignOptions['store']>,
): Promise<CampaignPart[]> {
  const { only, profile, outDirectory, seed } = options;
  const directory = join(outDirectory, 'probe');
  const subject = await probeStore(adapter, overrides, directory, seed);
  const { cuts, kills, faults } = STORE_PROFILES[profile];
  const part = { ...options, subject };
  if (only !== undefined) return [storeCutsPart(part, cuts, only)];
  return [
    storeCutsPart(part, options.seconds ?? cuts),
    storeKillsPart(part, kills),
    storeFaultsPart(part, faults),
  ];
}

async function crash(options: CampaignOptions): Promise<ExitCode> {
  const files = new CrashReportFiles(options.outDirectory, [SUMMARY_FILE, JUNIT_FILE]);
  const startedAt = new Date();
  const startMs = performance.now();
  const progress = campaignProgress(process.stderr);
  const interrupt = listenForInterrupts();
  progress.print(`crash: ${options.command}`);
  const finished = await runCampaign(await partsOf(options), {
    signal: interrupt.signal,
    progress,
  }).finally(() => progress.end());
  const failures = finished.flatMap(({ part, result }) =>
    result.failures.map((failure) => {
      const { invariant, message, seed, command } = failure;
      return {
        part: part.name,
        invariant,
        message,
        seed,
        command,
        directory: files.keepFailure(failure),
      };
    }),
  );
  const durationMs = performance.now() - startMs;
  const summary = summarizeCampaign({
    options,
    finished,
    failures,
    interruptedBy: interrupt.by(),
    startedAt,
    durationMs,
    versions: describeVersions(),
    host: describeHost(options.outDirectory),
  });
  const written = [
    files.write(SUMMARY_FILE, `${JSON.stringify(summary, undefined, 2)}\n`),
    files.write(JUNIT_FILE, junitXml('tidemark-crash', junitCases(finished), durationMs)),
  ];
  print(`${describeCampaign(summary, finished, written)}`);
  return summary.exitCode;
}

/** Plants known mistakes, to see whether the checks find them. */
async function hunt(options: CampaignOptions): Promise<ExitCode> {
  const mutants = MUTANTS.filter(({ name }) => (options.onlyMutant ?? name) === name);
  if (mutants.length === 0)
    throw new CampaignUsageError(`--only-mutant: there is no mutant '${options.onlyMutant}'`);
  const files = new CrashReportFiles(options.outDirectory, [
    MUTANTS_JSON_FILE,
    MUTANTS_MARKDOWN_FILE,
  ]);
  const startMs = performance.now();
  const progress = campaignProgress(process.stderr);
  const interrupt = listenForInterrupts();
  progress.print(`crash: ${options.command}`);
  const { seed, mutantSeconds, workers } = options;
  const run = { seed, seconds: mutantSeconds, workers, signal: interrupt.signal, progress };
  const [baseline] = await runMutants([noMutation(mutants)], run);
  const results: readonly MutantResult[] =
    baseline?.fate === 'survived' ? await runMutants(mutants, run) : [];
  progress.end();
  const end = {
    seed,
    secondsEach: mutantSeconds,
    command: options.command,
    versions: describeVersions(),
    durationMs: performance.now() - startMs,
    interruptedBy: interrupt.by(),
    baseline,
    results,
  };
  const written = [
    files.write(MUTANTS_JSON_FILE, mutantsJson(end)),
    files.write(MUTANTS_MARKDOWN_FILE, mutantsMarkdown(end)),
  ];
  print(`${describeMutants(end)}\n  report     ${written.join(', ')}`);
  return mutantsExitCode(end);
}

/** The first signal asks for an orderly end; a second one ends the process as signals do. */
function listenForInterrupts() {
  const controller = new AbortController();
  let by: 'SIGINT' | 'SIGTERM' | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      by ??= signal;
      controller.abort();
    });
  }
  return { signal: controller.signal, by: () => by };
}
