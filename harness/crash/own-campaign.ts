import { UsageError } from '../command-line.ts';
import type { ExitCode } from '../exit-code.ts';
import { describeVersions } from '../soak/result/host.ts';
import { print } from '../standard-streams.ts';
import { withFloors } from './campaign/campaign-floors.ts';
import { type CampaignOptions, FLOORS, PROFILES } from './campaign/campaign-options.ts';
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
import { mergeUnits, planUnits, runUnits } from './units/campaign-commands.ts';

const MUTANTS_JSON_FILE = 'mutants.json';
const MUTANTS_MARKDOWN_FILE = 'mutants.md';

/** The campaign of a clone, which imports the engine's internals. */
export const OWN_CAMPAIGN: OwnCampaign = {
  parts(options) {
    const { only, profile, statesSeconds } = options;
    if (only !== undefined) return [statesPart({ ...options, goal: { onlySteps: only.steps } })];
    const { kills, blocks, host, upkeep, whole, faults, rot } = PROFILES[profile];
    const floors = { ...FLOORS[profile] };
    // Who asks for less time is content with less.
    const { states = {} } = floors;
    const share = Math.min(1, statesSeconds / PROFILES[profile].states);
    floors.states = Object.fromEntries(
      Object.entries(states).map(([name, least]) => [name, Math.ceil(least * share)]),
    );
    const parts = [
      statesPart({ ...options, goal: { seconds: statesSeconds } }),
      killsPart(options, kills),
      blocksPart(options, blocks),
      hostPart(options, host, whole),
      upkeepPart(options, upkeep, whole),
      faultsPart(options, whole ? 'whole' : 'tiny', faults),
      rotPart(options, whole ? undefined : [0, 7], rot),
    ];
    return withFloors(parts, floors);
  },
  hunt,
  async units(words) {
    if (words[0] === 'plan') return planUnits(words.slice(1));
    if (words[0] === 'merge-reports') return mergeUnits(words.slice(1));
    const isShard = words.some((word) => /^--campaign(?:=|$)/.test(word));
    return isShard ? runUnits(words) : undefined;
  },
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
