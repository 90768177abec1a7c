import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseWords, UsageError } from '../../command-line.ts';
import { invokedAs, quoteWord } from '../../invocation.ts';
import type { Threshold } from '../gates/threshold.ts';
import type { ChaosConfiguration, SoakConfiguration } from '../run/configuration.ts';
import type { TelemetryConfiguration } from '../run/store-telemetry.ts';
import { type CommandFlags, describeCommand } from './command.ts';
import { loadProfile, type Profile } from './profile.ts';

export interface SoakOptions {
  readonly configuration: SoakConfiguration;
  readonly profile: { readonly name: string | null; readonly path: string | null };
  readonly thresholds: readonly Threshold[];
  readonly warmupShare: number;
  /** Absolute; undefined for a fresh directory under `outDirectory`. */
  readonly storeDirectory: string | undefined;
  /** A directory that the store process removes when nobody is left to do it. */
  readonly temporaryPath?: string | undefined;
  /** Empty a store directory that holds something. */
  readonly force: boolean;
  /** Absolute. */
  readonly outDirectory: string;
  readonly sampleIntervalMs: number;
  readonly maxRssBytes: number | undefined;
  /** Absolute: where an earlier run has left its report. */
  readonly baselineDirectory: string | undefined;
  /** The share of a time below which a difference counts as none. */
  readonly leastEffect: number;
  /** Absolute. */
  readonly historyPath: string | undefined;
  /** Absolute. */
  readonly benchmarkPath: string | undefined;
  /** Where the live page is served; 0 for any port. */
  readonly servePort: number | undefined;
  /** Looks for what grows in the heap, whatever the gates say. */
  readonly diagnosesHeap: boolean;
  /** Does the same operations again, under the same gates. */
  readonly command: string;
}

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'soak'; readonly options: SoakOptions }
  | {
      readonly kind: 'self-test';
      readonly outDirectory: string;
      readonly profile: string;
      readonly seed: number;
    }
  | { readonly kind: 'list-series' };

/** Undefined when help was asked for, and given. Throws `UsageError`. */
export function parseOptions(words: readonly string[]): Request | undefined {
  const command = describeCommand();
  if (!parseWords(command, words)) return undefined;
  return toRequest(command.opts<CommandFlags>());
}

function toRequest(flags: CommandFlags): Request {
  if (flags.listSeries) return { kind: 'list-series' };
  if (flags.selfTest) {
    const seed = flags.seed ?? randomInt(2 ** 32);
    return {
      kind: 'self-test',
      outDirectory: resolve(flags.out),
      profile: flags.profile ?? 'smoke',
      seed,
    };
  }
  return { kind: 'soak', options: toOptions(flags) };
}

function toOptions(flags: CommandFlags): SoakOptions {
  checkTogether(flags);
  const { input, keyField, passes, seconds } = flags;
  const hasOwnGoal = flags.bytes !== undefined || seconds !== undefined || passes !== undefined;
  const profile = loadProfile(flags.profile ?? DEFAULT_PROFILE);
  // Limits are made for a goal: whoever states another, and no profile, gets the invariants and
  // nothing to calibrate.
  const isGated = flags.profile !== undefined || (!hasOwnGoal && input === undefined);
  const telemetry = telemetryOf(flags);
  const chaos = chaosOf(flags, profile, flags.profile !== undefined);
  const seed = flags.seed ?? randomInt(2 ** 32);
  const isPath = /[/\\.]/.test(flags.adapter);
  return {
    configuration: {
      seed,
      adapter: isPath ? resolve(flags.adapter) : flags.adapter,
      keyCount: flags.keys ?? keyCountFor(flags, profile),
      ...(input === undefined
        ? {}
        : { input: { path: resolve(input), ...(keyField === undefined ? {} : { keyField }) } }),
      ...(telemetry === undefined ? {} : { telemetry }),
      goal: hasOwnGoal
        ? {
            ...(flags.bytes === undefined ? {} : { bytes: flags.bytes }),
            ...(seconds === undefined ? {} : { seconds }),
            ...(passes === undefined ? {} : { passes }),
          }
        : profile.goal,
      workload: profile.workload,
      ...(chaos === undefined ? {} : { chaos }),
      ...(flags.plant === undefined ? {} : { plant: flags.plant }),
    },
    profile: isGated ? { name: profile.name, path: profile.path } : { name: null, path: null },
    thresholds: isGated ? profile.thresholds : [],
    warmupShare: profile.warmupShare,
    storeDirectory: absolute(flags.dir),
    force: flags.force === true,
    outDirectory: resolve(flags.out),
    sampleIntervalMs: flags.sampleMs ?? (isGated ? profile.sampleIntervalMs : DEFAULT_SAMPLE_MS),
    maxRssBytes: flags.maxRssMb === undefined ? undefined : flags.maxRssMb * 1_000_000,
    baselineDirectory: absolute(flags.baseline),
    leastEffect: flags.minEffect ?? DEFAULT_LEAST_EFFECT,
    historyPath: absolute(flags.history),
    benchmarkPath: absolute(flags.benchmarkJson),
    servePort: flags.serve === true ? DEFAULT_SERVE_PORT : flags.serve,
    diagnosesHeap: flags.diagnoseHeap === true,
    command: repeatCommand(flags, seed),
  };
}

/**
 * The average number of bytes per key. Keys of a short run are so few that each is written several
 * times.
 */
const BYTES_PER_KEY = 8192;
const FEWEST_KEYS = 100;

/** A short goal of one's own has fewer keys than the profile, so that each of them is used. */
function keyCountFor({ bytes }: CommandFlags, profile: Profile): number {
  if (bytes === undefined) return profile.keyCount;
  return Math.min(profile.keyCount, Math.max(FEWEST_KEYS, Math.floor(bytes / BYTES_PER_KEY)));
}

const DEFAULT_PROFILE = 'smoke';
const DEFAULT_SAMPLE_MS = 1000;
const DEFAULT_SERVE_PORT = 8650;
const DEFAULT_KILLS = 2;
/** Two runs on the same machine, one after the other, differ by so much for no reason. */
const DEFAULT_LEAST_EFFECT = 0.1;

function checkTogether(flags: CommandFlags): void {
  const { input, keyField, passes, keys } = flags;
  if (keyField !== undefined && input === undefined)
    throw new UsageError('--key-field needs --input');
  if (passes !== undefined && input === undefined) throw new UsageError('--passes needs --input');
  if (keys !== undefined && input !== undefined)
    throw new UsageError('--keys has no meaning with --input');
  if (flags.dir !== undefined && resolve(flags.dir) === resolve(flags.out)) {
    throw new UsageError('--dir and --out are the same directory');
  }
  if (flags.traceRatio !== undefined && flags.otlp === undefined) {
    throw new UsageError('--trace-ratio needs --otlp');
  }
  if (flags.force && flags.dir === undefined) throw new UsageError('--force needs --dir');
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function chaosOf(
  { chaos }: CommandFlags,
  profile: Profile,
  isChosen: boolean,
): ChaosConfiguration | undefined {
  if (chaos === undefined) return isChosen ? profile.chaos : undefined;
  const kills = chaos === true ? (profile.chaos?.kills ?? DEFAULT_KILLS) : chaos;
  return kills === 0 ? undefined : { kills, survives: profile.chaos?.survives ?? 'put' };
}

function telemetryOf({
  metricsPort,
  otlp,
  traceRatio = 1,
}: CommandFlags): TelemetryConfiguration | undefined {
  if (metricsPort === undefined && otlp === undefined) return undefined;
  return {
    traceRatio,
    ...(metricsPort === undefined ? {} : { metricsPort }),
    ...(otlp === undefined ? {} : { otlpUrl: otlp }),
  };
}

/** What decides the operations and the verdict; not where things go. */
function repeatCommand(flags: CommandFlags, seed: number): string {
  const words: [string, string | number | undefined][] = [
    ['--profile', flags.profile],
    ['--seed', seed],
    ['--bytes', flags.bytes],
    ['--seconds', flags.seconds],
    ['--keys', flags.keys],
    ['--adapter', flags.adapter === 'tidemark' ? undefined : flags.adapter],
    ['--input', flags.input],
    ['--key-field', flags.keyField],
    ['--passes', flags.passes],
    ['--chaos', flags.chaos === true ? DEFAULT_KILLS : flags.chaos],
    ['--plant', flags.plant],
    ['--max-rss-mb', flags.maxRssMb],
  ];
  const given = words.flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, quoteWord(String(value))],
  );
  return [invokedAs('soak'), ...given].join(' ');
}
