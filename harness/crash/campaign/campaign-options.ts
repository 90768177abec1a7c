import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import {
  integerBetween,
  invalid,
  parseWords,
  positive,
  seedNumber,
  UsageError,
} from '../../command-line.ts';
import {
  ContractError,
  type DeclaredContract,
  parseHistory,
  parseSurvives,
} from '../../contract.ts';
import { invokedAs, quoteWord } from '../../invocation.ts';
import { IS_CLONE } from '../../package-root.ts';

/**
 * Seconds of crash states, the budget of kills, seconds of disk images, of what hosts do and of
 * upkeep, and whether every fault and every flipped bit is tried, or a choice.
 */
export const PROFILES = {
  quick: { states: 20, kills: { seconds: 10 }, blocks: 4, host: 0, upkeep: 6, whole: false },
  default: { states: 75, kills: { kills: 1100 }, blocks: 30, host: 30, upkeep: 40, whole: true },
  nightly: {
    states: 3600,
    kills: { seconds: 3600 },
    blocks: 1800,
    host: 1200,
    upkeep: 1800,
    whole: true,
  },
} as const;

/** The same for a store that is known by its adapter: seconds of each part. */
export const STORE_PROFILES = {
  quick: { workload: 2, cuts: 12, kills: 8, faults: 10, blocks: 4 },
  default: { workload: 4, cuts: 32, kills: 20, faults: 20, blocks: 14 },
  nightly: { workload: 600, cuts: 3600, kills: 1800, faults: 1800, blocks: 1800 },
} as const;
export const STORE_PARTS = ['workload', 'cuts', 'kills', 'faults', 'blocks'] as const;
export type StorePart = (typeof STORE_PARTS)[number];
export type Profile = keyof typeof PROFILES;

/** Seconds of processor time that one mutant may live before it counts as a survivor. */
export const MUTANT_SECONDS: Readonly<Record<Profile, number>> = {
  quick: 30,
  default: 60,
  nightly: 300,
};

export interface CampaignOptions {
  /** Another store than tidemark, and what the command line says that it promises. */
  readonly store:
    | { readonly adapter: string; readonly overrides: readonly DeclaredContract[] }
    | undefined;
  /** Runs only this part; for stores other than tidemark. */
  readonly part: StorePart | undefined;
  /** Injects only the fault of this name; for stores other than tidemark. */
  readonly onlyFault: string | undefined;
  /** Plants mistakes in a small store, instead of a campaign. */
  readonly selfTest: boolean;
  readonly profile: Profile;
  readonly seed: number;
  readonly statesSeconds: number;
  /** What `--seconds` said. */
  readonly seconds: number | undefined;
  readonly workers: number;
  /** Absolute. */
  readonly outDirectory: string;
  readonly mutants: boolean;
  /** Seconds for each mutant. */
  readonly mutantSeconds: number;
  /** Undefined for all of the list. */
  readonly onlyMutant: string | undefined;
  /** The one workload to check, instead of a campaign. */
  readonly only: { readonly steps: readonly number[] | undefined } | undefined;
  /** Does the same again. */
  readonly command: string;
}

interface Flags {
  readonly adapter?: string;
  readonly survives?: DeclaredContract;
  readonly history?: DeclaredContract;
  readonly part?: StorePart;
  readonly onlyFault?: string;
  readonly selfTest?: true;
  readonly profile: Profile;
  readonly seed?: number;
  readonly seconds?: number;
  readonly workers: number;
  readonly out: string;
  readonly mutants?: true;
  readonly onlyMutant?: string;
  readonly onlySeed?: number;
  readonly onlySteps?: readonly number[];
}

/** Undefined when help was asked for, and given. Throws `UsageError`. */
export function parseCampaignOptions(words: readonly string[]): CampaignOptions | undefined {
  const command = describeCommand();
  if (!parseWords(command, words)) return undefined;
  return toOptions(command.opts<Flags>());
}

function toOptions(flags: Flags): CampaignOptions {
  const { profile, onlySeed, onlySteps, onlyMutant } = flags;
  const mutants = flags.mutants ?? false;
  if (onlySteps !== undefined && onlySeed === undefined)
    throw new UsageError('--only-steps needs --only-seed');
  if (onlyMutant !== undefined && !mutants) throw new UsageError('--only-mutant needs --mutants');
  if (onlySeed !== undefined) {
    const other = mutants ? '--mutants' : flags.seed !== undefined ? '--seed' : undefined;
    if (other !== undefined) throw new UsageError(`--only-seed and ${other} exclude each other`);
  }
  // The campaign of tidemark itself is in a clone; an installed harness crashes it like any store.
  if (mutants && !IS_CLONE)
    throw new UsageError('--mutants change the sources of tidemark: run it in a clone');
  const { adapter = IS_CLONE ? undefined : 'tidemark', survives, history, part } = flags;
  if (adapter === undefined && (survives ?? history ?? part) !== undefined)
    throw new UsageError('--survives, --history and --part need --adapter');
  if (adapter !== undefined && onlySeed !== undefined && part !== undefined && part !== 'cuts')
    throw new UsageError('--only-seed is about power cuts: leave out --part');
  if (flags.onlyFault !== undefined && part !== 'faults')
    throw new UsageError('--only-fault needs --part faults');
  if (adapter !== undefined && mutants)
    throw new UsageError('--mutants are planted into tidemark; leave out --adapter');
  // Mutants are compared from one run to the next.
  const seed = onlySeed ?? flags.seed ?? (mutants ? 1 : randomInt(2 ** 32));
  return {
    store:
      adapter === undefined ? undefined : { adapter, overrides: [survives ?? {}, history ?? {}] },
    part,
    onlyFault: flags.onlyFault,
    selfTest: flags.selfTest ?? false,
    profile,
    seed,
    seconds: flags.seconds,
    statesSeconds: flags.seconds ?? PROFILES[profile].states,
    workers: flags.workers,
    outDirectory: resolve(flags.out),
    mutants,
    mutantSeconds: flags.seconds ?? MUTANT_SECONDS[profile],
    onlyMutant,
    only: onlySeed === undefined ? undefined : { steps: onlySteps },
    command: repeatCommand(flags, seed),
  };
}

function repeatCommand(flags: Flags, seed: number): string {
  const { profile, seconds, mutants, onlyMutant, onlySeed, onlySteps } = flags;
  return [
    invokedAs('crash'),
    ...storeFlags(flags),
    ...(mutants ? ['--mutants'] : []),
    ...(onlyMutant === undefined ? [] : [`--only-mutant ${onlyMutant}`]),
    ...(profile === 'default' ? [] : [`--profile ${profile}`]),
    ...(onlySeed === undefined ? [`--seed ${seed}`] : [`--only-seed ${seed}`]),
    ...(onlySteps === undefined ? [] : [`--only-steps '${onlySteps.join(',')}'`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ].join(' ');
}

function storeFlags({ adapter, survives, history, part, onlyFault, selfTest }: Flags): string[] {
  const said = Object.entries(survives ?? {}).map(([name, value]) => `${name}=${value}`);
  return [
    ...(adapter === undefined ? [] : [`--adapter ${quoteWord(adapter)}`]),
    ...(survives === undefined ? [] : [`--survives ${said.join()}`]),
    ...(history === undefined ? [] : [`--history ${history.history}`]),
    ...(part === undefined ? [] : [`--part ${part}`]),
    ...(onlyFault === undefined ? [] : [`--only-fault ${quoteWord(onlyFault)}`]),
    ...(selfTest === undefined ? [] : ['--self-test']),
  ];
}

function describeCommand(): Command {
  return new Command(invokedAs('crash'))
    .description(
      'Cuts the power of a store at every moment of seeded workloads, opens every disk image that this may leave, and ' +
        'holds what recovery comes to against what had been promised.',
    )
    .addOption(
      new Option('--profile <name>', 'how long it may take')
        .choices(Object.keys(PROFILES))
        .default('default'),
    )
    .option(
      '--adapter <name>',
      'another store: an adapter module (./my-store.mjs), a ready-made one or an installed package',
    )
    .option(
      '--survives <list>',
      'what it promises, instead of its contract: put=nothing|kill|power,sync=kill|power',
      contractOption(parseSurvives),
    )
    .option(
      '--history <kind>',
      'what a crash leaves of it: prefix, or per-key',
      contractOption(parseHistory),
    )
    .addOption(new Option('--part <name>', 'of its parts only this').choices(STORE_PARTS))
    .option('--only-fault <name>', 'of its faults only the one of this name, as a finding tells it')
    .option(
      '--self-test',
      'put known mistakes into a small store; each must be caught by the part that should',
    )
    .option('--seed <n>', 'seed of the first workload (default: random, and printed)', seedNumber)
    .option(
      '--seconds <n>',
      'time for the crash states, or processor time for each mutant, instead of the profile',
      positive,
    )
    .option('--workers <n>', 'processes that check', workerCount, 2)
    .option('--out <directory>', 'directory for the report and for what failed', './tidemark-crash')
    .option('--only-seed <n>', 'check the one workload of this seed', seedNumber)
    .option(
      '--only-steps <list>',
      'of that workload only these steps, by their numbers: 0,3,8',
      numberList,
    )
    .option(
      '--mutants',
      'plant known mistakes into copies of the engine, one by one; each must be caught',
    )
    .option('--only-mutant <name>', 'of these only one')
    .addHelpText('after', HELP)
    .showSuggestionAfterError();
}

const HELP = `
Any program, in any language: ${invokedAs('crash')} program --help

Exit status:
  0        no invariant was broken; with --mutants: every mutant was caught
  1        an invariant was broken; with --mutants: one survived
  2        a wrong option, or a directory that cannot be used
  3        inconclusive: too little was seen to judge
  130 143  interrupted (Ctrl-C, SIGTERM), after an orderly stop and a report

The report: report.html, summary.json, junit.xml and, for each failure, failures/N with the store as real files and report.txt.`;

function contractOption(parse: (text: string) => DeclaredContract) {
  return (text: string) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof ContractError) return invalid(`${error.message}.`);
      throw error;
    }
  };
}

function workerCount(text: string): number {
  return integerBetween(text, 1, 256);
}

function numberList(text: string): number[] {
  if (text === '') return [];
  const numbers = text
    .split(',')
    .map((word) => (/^\d{1,6}$/.test(word) ? Number(word) : Number.NaN));
  return numbers.some(Number.isNaN) ? invalid('Give numbers with commas between them.') : numbers;
}
