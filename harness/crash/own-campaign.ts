import { UsageError } from '../command-line.ts';
import type { ExitCode } from '../exit-code.ts';
import { describeVersions } from '../soak/result/host.ts';
import { print } from '../standard-streams.ts';
import { type CampaignOptions, PROFILES } from './campaign/campaign-options.ts';
import {
  blocksPart,
  faultsPart,
  hostPart,
  killsPart,
  rotPart,
} from './campaign/campaign-own-parts.ts';
import { campaignProgress } from './campaign/campaign-progress.ts';
import { statesPart } from './campaign/campaign-states.ts';
import { upkeepPart } from './campaign/campaign-upkeep.ts';
import { CrashReportFiles } from './campaign/crash-report-files.ts';
import {
  describeMutants,
  mutantsExitCode,
  mutantsJson,
  mutantsMarkdown,
} from './campaign/crash-report-mutants.ts';
import { type MutantResult, noMutation, runMutants } from './campaign/mutants-run.ts';
import { listenForInterrupts, type OwnCampaign } from './crash.ts';
import { MUTANTS } from './plants/mutants.ts';

const MUTANTS_JSON_FILE = 'mutants.json';
const MUTANTS_MARKDOWN_FILE = 'mutants.md';

/** The campaign of a clone, which imports the engine's internals. */
export const OWN_CAMPAIGN: OwnCampaign = {
  parts(options) {
    const { only, profile, statesSeconds } = options;
    if (only !== undefined) return [statesPart({ ...options, goal: { onlySteps: only.steps } })];
    const { kills, blocks, host, upkeep, whole } = PROFILES[profile];
    return [
      statesPart({ ...options, goal: { seconds: statesSeconds } }),
      killsPart(options, kills),
      blocksPart(options, blocks),
      hostPart(options, host, whole),
      upkeepPart(options, upkeep, whole),
      faultsPart(options, whole ? 'whole' : 'tiny'),
      rotPart(options, whole ? undefined : [0, 7]),
    ];
  },
  hunt,
};

async function hunt(options: CampaignOptions): Promise<ExitCode> {
  const mutants = MUTANTS.filter(({ name }) => (options.onlyMutant ?? name) === name);
  if (mutants.length === 0)
    throw new UsageError(`--only-mutant: there is no mutant '${options.onlyMutant}'`);
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
