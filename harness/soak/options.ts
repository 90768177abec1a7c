import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { parseBytes } from '../units.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { TelemetryConfiguration } from './store-telemetry.ts';

const DEFAULT_BYTES = 1024 ** 3;
const DEFAULT_KEYS = 20_000;
const LEAST_SAMPLE_MS = 20;

export interface SoakOptions {
  readonly configuration: SoakConfiguration;
  /** Absolute; undefined for a fresh directory under `outDirectory`. */
  readonly storeDirectory: string | undefined;
  /** Absolute. */
  readonly outDirectory: string;
  readonly sampleIntervalMs: number;
  readonly maxRssBytes: number | undefined;
  /** Does the same operations again, under the same gates. */
  readonly command: string;
}

/** The command line asked for something impossible; the message names the flag. */
export class UsageError extends Error {}

interface Flags {
  readonly bytes?: number;
  readonly seconds?: number;
  readonly seed?: number;
  readonly keys?: number;
  readonly adapter: string;
  readonly input?: string;
  readonly keyField?: string;
  readonly passes?: number;
  readonly dir?: string;
  readonly out: string;
  readonly sampleMs: number;
  readonly maxRssMb?: number;
  readonly metricsPort?: number;
  readonly otlp?: string;
  readonly traceRatio?: number;
}

/** Undefined when help was asked for, and given. Throws `UsageError`. */
export function parseOptions(words: readonly string[]): SoakOptions | undefined {
  const command = describeCommand();
  let complaint = '';
  command.configureOutput({
    outputError: (text) => {
      complaint = text;
    },
  });
  try {
    command.parse(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new UsageError(
      complaint
        .replace(/^error: /, '')
        .trim()
        .replace(/\s*\n\s*/g, ' '),
    );
  }
  return toOptions(command.opts<Flags>());
}

function toOptions(flags: Flags): SoakOptions {
  const { input, keyField, passes, keys, seconds } = flags;
  if (keyField !== undefined && input === undefined) throw new UsageError('--key-field needs --input');
  if (passes !== undefined && input === undefined) throw new UsageError('--passes needs --input');
  if (keys !== undefined && input !== undefined) throw new UsageError('--keys has no meaning with --input');
  if (flags.dir !== undefined && resolve(flags.dir) === resolve(flags.out)) {
    throw new UsageError('--dir and --out are the same directory');
  }
  if (flags.traceRatio !== undefined && flags.otlp === undefined)
    throw new UsageError('--trace-ratio needs --otlp');
  const telemetry = telemetryOf(flags);
  const seed = flags.seed ?? randomInt(2 ** 32);
  const bytes = flags.bytes ?? (seconds === undefined && passes === undefined ? DEFAULT_BYTES : undefined);
  const isPath = /[/\\.]/.test(flags.adapter);
  return {
    configuration: {
      seed,
      adapter: isPath ? resolve(flags.adapter) : flags.adapter,
      keyCount: keys ?? DEFAULT_KEYS,
      ...(input === undefined
        ? {}
        : { input: { path: resolve(input), ...(keyField === undefined ? {} : { keyField }) } }),
      ...(telemetry === undefined ? {} : { telemetry }),
      goal: {
        ...(bytes === undefined ? {} : { bytes }),
        ...(seconds === undefined ? {} : { seconds }),
        ...(passes === undefined ? {} : { passes }),
      },
    },
    storeDirectory: flags.dir === undefined ? undefined : resolve(flags.dir),
    outDirectory: resolve(flags.out),
    sampleIntervalMs: flags.sampleMs,
    maxRssBytes: flags.maxRssMb === undefined ? undefined : flags.maxRssMb * 1_000_000,
    command: repeatCommand(flags, seed),
  };
}

function telemetryOf({ metricsPort, otlp, traceRatio = 1 }: Flags): TelemetryConfiguration | undefined {
  if (metricsPort === undefined && otlp === undefined) return undefined;
  return {
    traceRatio,
    ...(metricsPort === undefined ? {} : { metricsPort }),
    ...(otlp === undefined ? {} : { otlpUrl: otlp }),
  };
}

/** What decides the operations and the verdict; not where things go. */
function repeatCommand(flags: Flags, seed: number): string {
  const words: [string, string | number | undefined][] = [
    ['--seed', seed],
    ['--bytes', flags.bytes],
    ['--seconds', flags.seconds],
    ['--keys', flags.keys],
    ['--adapter', flags.adapter === 'tidemark' ? undefined : flags.adapter],
    ['--input', flags.input],
    ['--key-field', flags.keyField],
    ['--passes', flags.passes],
    ['--max-rss-mb', flags.maxRssMb],
  ];
  const given = words.flatMap(([flag, value]) => (value === undefined ? [] : [flag, quoted(String(value))]));
  return ['npm run soak --', ...given].join(' ');
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function describeCommand(): Command {
  return new Command('npm run soak --')
    .description(
      'Writes and reads a store in a process of its own, watches that process from outside, and compares every key ' +
        'after each reopen and at the end. Without options: 1 GiB of made-up data through tidemark.',
    )
    .option(
      '--bytes <size>',
      'keys and values to put: 512MB, 1GiB, 200GB, or bytes (default: 1GiB)',
      sizeBytes,
    )
    .option(
      '--seconds <n>',
      'write for so long instead (of several goals, the first to be reached counts)',
      positive,
    )
    .option('--seed <n>', 'repeat the run that printed this seed (default: random)', seedNumber)
    .option('--keys <n>', `distinct keys of made-up data (default: ${DEFAULT_KEYS})`, keyNumber)
    .option(
      '--adapter <name|path>',
      'store to test: tidemark, or a module such as ./my-store.mjs',
      'tidemark',
    )
    .option('--input <file.jsonl>', 'put the lines of this file instead of made-up data')
    .option(
      '--key-field <name>',
      'field that is the key, the whole line being the value; without it each line is {"key":"<base64>","payload":"<base64>"}',
    )
    .option('--passes <n>', 'put the whole input so often', integer)
    .option(
      '--dir <directory>',
      'new or empty directory for the store; it is kept (default: one under --out, removed unless the run fails)',
    )
    .option(
      '--out <directory>',
      'directory for summary.json, samples.csv and metrics.prom',
      './tidemark-soak',
    )
    .option('--sample-ms <n>', 'milliseconds between samples', sampleInterval, 1000)
    .option(
      '--max-rss-mb <n>',
      'fail with 99 when the store process was ever larger, in units of 1,000,000 bytes',
      positive,
    )
    .option(
      '--metrics-port <n>',
      "serve the store process's Prometheus metrics on this port of loopback",
      port,
    )
    .option('--otlp <url>', 'export spans over OTLP/HTTP, e.g. http://127.0.0.1:4318/v1/traces', httpUrl)
    .option('--trace-ratio <n>', 'share of operations traced, from 0 to 1 (default: all)', ratio)
    .addHelpText('after', HELP)
    .showSuggestionAfterError()
    .exitOverride();
}

const HELP = `
Exit status:
  0        every key was compared, and everything was right
  1        data was lost, wrong or invented, or the store failed
  2        a wrong option, or an adapter, input or directory that cannot be used
  3        inconclusive: something outside the store ended the run
  99       everything was right, and a threshold was crossed
  130 143  interrupted (Ctrl-C, SIGTERM), after an orderly stop and a report

An adapter is a module whose default export is open(directory), a promise of a store with get, put, delete, sync,
entries and close, and, where it has them, compact and stats: see StoreUnderTest in harness/store-under-test.ts.`;

function port(text: string): number {
  return integerBetween(text, 1, 65_535);
}

function httpUrl(text: string): string {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : invalid('Give an http URL.');
}

function ratio(text: string): number {
  const value = Number(text);
  return text !== '' && value >= 0 && value <= 1 ? value : invalid('Give a number from 0 to 1.');
}

function sizeBytes(text: string): number {
  return parseBytes(text) ?? invalid('Give a size such as 512MB or 1GiB.');
}

function positive(text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : invalid('Give a number above 0.');
}

function integer(text: string): number {
  return integerBetween(text, 1, Number.MAX_SAFE_INTEGER);
}

function keyNumber(text: string): number {
  return integerBetween(text, 1, 2 ** 31);
}

function seedNumber(text: string): number {
  return integerBetween(text, 0, 2 ** 32 - 1);
}

function sampleInterval(text: string): number {
  return integerBetween(text, LEAST_SAMPLE_MS, 3_600_000);
}

function integerBetween(text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : invalid(`Give an integer from ${least} to ${most}.`);
}

function invalid(advice: string): never {
  throw new InvalidArgumentError(advice);
}
