import { join } from 'node:path';
import { AdapterError } from '../adapter-error.ts';
import { UsageError } from '../command-line.ts';
import { ContractError, contractInSentences, describeContract } from '../contract.ts';
import { ExitCode } from '../exit-code.ts';
import { describeHost, describeVersions } from '../soak/result/host.ts';
import { complain, print } from '../standard-streams.ts';
import { type CampaignPart, type Progress, runCampaign } from './campaign/campaign.ts';
import {
  type CampaignOptions,
  parseCampaignOptions,
  STORE_PARTS,
  STORE_PROFILES,
  type StorePart,
} from './campaign/campaign-options.ts';
import { programPart } from './campaign/campaign-program.ts';
import { campaignProgress } from './campaign/campaign-progress.ts';
import {
  describeSubject,
  storeBlocksPart,
  storeCutsPart,
  storeFaultsPart,
  storeKillsPart,
  storeWorkloadPart,
} from './campaign/campaign-store-parts.ts';
import { crashPage } from './campaign/crash-page.ts';
import {
  type CampaignEnd,
  type CrashSummary,
  describeCampaign,
  junitCases,
  OUR_OWN,
  type SubjectSummary,
  summarizeCampaign,
} from './campaign/crash-report.ts';
import { CrashReportFiles } from './campaign/crash-report-files.ts';
import { writeStepSummary } from './campaign/crash-step-summary.ts';
import { type ProgramOptions, parseProgramOptions } from './campaign/program-options.ts';
import { runSelfTest, type SelfTestOptions } from './campaign/store-self-test.ts';
import { probeStore, type StoreSubject } from './kills/store-subject.ts';
import { junitXml } from './report/crash-report-junit.ts';

const SUMMARY_FILE = 'summary.json';
const PAGE_FILE = 'report.html';
const JUNIT_FILE = 'junit.xml';

/** What only a clone has: the campaign that holds tidemark to its own invariants. */
export interface OwnCampaign {
  parts(options: CampaignOptions): readonly CampaignPart[];
  /** Plants known mistakes, to see whether the checks find them. */
  hunt(options: CampaignOptions): Promise<ExitCode>;
}

/**
 * The command: parses the words behind its name, runs what they ask for, prints, and writes its
 * reports. Resolves to the exit status.
 */
export async function crashCommand(words: readonly string[], own?: OwnCampaign): Promise<ExitCode> {
  try {
    if (words[0] === 'program') {
      const program = parseProgramOptions(words.slice(1));
      return program === undefined ? ExitCode.pass : await crashProgram(program);
    }
    const options = parseCampaignOptions(words);
    return options === undefined ? ExitCode.pass : await run(options, own);
  } catch (error) {
    const isUsage =
      error instanceof UsageError ||
      error instanceof AdapterError ||
      error instanceof ContractError;
    if (!isUsage) throw error;
    complain(`crash: ${error.message}`);
    return ExitCode.usage;
  }
}

function run(options: CampaignOptions, own: OwnCampaign | undefined): Promise<ExitCode> {
  if (options.mutants && own !== undefined) return own.hunt(options);
  if (options.selfTest) return testItself(options);
  return asCommand((run) => crash(options, run, own));
}

export interface CrashRun {
  /** Ends the run soon, in order. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Which signal it was; without it an abort counts as a SIGTERM. */
  readonly interruptedBy?: () => 'SIGINT' | 'SIGTERM' | undefined;
}

/** What a run came to, and the files that it wrote. */
export interface CrashResult {
  readonly summary: CrashSummary;
  readonly written: readonly string[];
}

/** One run, without a word to the terminal but through `progress`. */
export async function crash(
  options: CampaignOptions,
  run: CrashRun,
  own?: OwnCampaign,
): Promise<CrashResult> {
  const subject = await subjectOf(options, run.progress);
  const parts =
    subject === undefined ? own?.parts(options) : storePartsOf(options, subject.subject);
  return report(options, parts ?? [], run, subject?.described);
}

/** Tries a store out that is known by its adapter, and says what it will be judged by. */
async function subjectOf(
  { store, outDirectory, seed }: CampaignOptions,
  progress: Progress,
): Promise<{ subject: StoreSubject; described: SubjectSummary } | undefined> {
  if (store === undefined) return undefined;
  const directory = join(outDirectory, 'probe');
  const subject = await probeStore(store.adapter, store.overrides, directory, seed);
  const { contract, assumed, refusals, volatileFiles } = subject;
  const described = {
    name: store.adapter,
    contract: describeContract(contract),
    promises: contractInSentences(contract),
    assumed,
    refusals,
    volatileFiles,
  };
  for (const line of describeSubject(described)) progress.print(`crash: ${line}`);
  return { subject, described };
}

function storePartsOf(options: CampaignOptions, subject: StoreSubject): CampaignPart[] {
  const { only, profile, part, onlyFault } = options;
  const seconds = { ...STORE_PROFILES[profile] } as Record<StorePart, number>;
  if (part !== undefined && options.seconds !== undefined) seconds[part] = options.seconds;
  else if (options.seconds !== undefined) {
    const total = Object.values(seconds).reduce((sum, more) => sum + more, 0);
    for (const name of STORE_PARTS) seconds[name] *= options.seconds / total;
  }
  const given = { ...options, subject };
  if (only !== undefined) return [storeCutsPart(given, seconds.cuts, only)];
  const parts: Record<StorePart, CampaignPart> = {
    workload: storeWorkloadPart(given, seconds.workload),
    cuts: storeCutsPart({ ...given, hasBlocks: part === undefined }, seconds.cuts),
    kills: storeKillsPart(given, seconds.kills),
    faults: storeFaultsPart(given, seconds.faults, onlyFault),
    blocks: storeBlocksPart(given, seconds.blocks),
  };
  return STORE_PARTS.filter((name) => (part ?? name) === name).map((name) => parts[name]);
}

/** Seconds for one plant; most are found at once. */
const PLANT_SECONDS = 20;

/** No plant is for the real disks: what they find, images find sooner. */
function selfTestParts(part: StorePart | undefined): Pick<SelfTestOptions, 'parts'> {
  if (part === 'blocks') throw new UsageError('--self-test has no plants for blocks');
  return part === undefined ? {} : { parts: [part] };
}

/** Puts known mistakes into a small store. */
async function testItself(options: CampaignOptions): Promise<ExitCode> {
  const interrupt = listenForInterrupts();
  print(`crash: ${options.command}`);
  const results = await runSelfTest({
    directory: join(options.outDirectory, 'self-test'),
    seed: options.seed,
    seconds: options.seconds ?? PLANT_SECONDS,
    parallel: options.workers,
    ...selfTestParts(options.part),
    signal: interrupt.signal,
    onResult: ({ plant, part, fate, finding, reason }, done, of) => {
      const name = plant?.name ?? 'the small store as it is';
      const how = finding?.message ?? reason ?? '';
      print(`${done} of ${of}  ${name.padEnd(32)} ${part}: ${fate}  ${how.slice(0, 200)}`);
    },
  });
  const wrong = results.filter(({ plant, fate }) => fate === (plant ? 'passed' : 'caught'));
  const skipped = results.filter(({ fate }) => fate === 'skipped').length;
  print(
    `${wrong.length === 0 ? 'PASS' : 'BROKEN'}: ${results.filter(({ plant }) => plant).length - wrong.length - skipped} plants caught, ${wrong.length} wrong, ${skipped} skipped`,
  );
  if (wrong.length > 0) return ExitCode.broken;
  return skipped > 0 || interrupt.signal.aborted ? ExitCode.inconclusive : ExitCode.pass;
}

/** The same report as that of a store. */
function crashProgram(program: ProgramOptions): Promise<ExitCode> {
  const options = { ...program, profile: 'default', workers: 1 } as const;
  const described = {
    name: program.workload.join(' '),
    contract: program.check,
    promises: ['what a line says that it had printed survives a power cut, as the check sees it'],
    assumed: [],
    refusals: [],
    volatileFiles: [],
  };
  return asCommand((run) => report(options, [programPart(program)], run, described));
}

async function asCommand(start: (run: CrashRun) => Promise<CrashResult>): Promise<ExitCode> {
  const progress = campaignProgress(process.stderr);
  const interrupt = listenForInterrupts();
  const { summary, written } = await start({
    signal: interrupt.signal,
    progress,
    interruptedBy: interrupt.by,
  }).finally(() => progress.end());
  print(describeCampaign(summary, written));
  return summary.exitCode;
}

async function report(
  options: CampaignEnd['options'],
  parts: readonly CampaignPart[],
  { signal, progress, interruptedBy }: CrashRun,
  subject: SubjectSummary = OUR_OWN,
): Promise<CrashResult> {
  const names = [SUMMARY_FILE, JUNIT_FILE, PAGE_FILE];
  const files = new CrashReportFiles(options.outDirectory, names);
  const startedAt = new Date();
  const startMs = performance.now();
  progress.print(`crash: ${options.command}`);
  const finished = await runCampaign(parts, { signal, progress });
  const failures = finished.flatMap(({ part, result }) =>
    result.failures.map((failure) => {
      const { invariant, message, seed, command, details } = failure;
      return {
        part: part.name,
        invariant,
        message,
        seed,
        command,
        story: details,
        directory: files.keepFailure(failure),
      };
    }),
  );
  const durationMs = performance.now() - startMs;
  const summary = summarizeCampaign({
    options,
    subject,
    finished,
    failures,
    interruptedBy: interruptedBy?.() ?? (signal.aborted ? 'SIGTERM' : undefined),
    startedAt,
    durationMs,
    versions: describeVersions(),
    host: describeHost(options.outDirectory),
  });
  const written = [
    files.write(PAGE_FILE, crashPage(summary)),
    files.write(SUMMARY_FILE, `${JSON.stringify(summary, undefined, 2)}\n`),
    files.write(JUNIT_FILE, junitXml('tidemark-crash', junitCases(summary), durationMs)),
  ];
  writeStepSummary(summary);
  return { summary, written };
}

/** The first signal asks for an orderly end; a second one ends the process as signals do. */
export function listenForInterrupts(): Pick<CrashRun, 'signal'> & {
  readonly by: () => 'SIGINT' | 'SIGTERM' | undefined;
} {
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
