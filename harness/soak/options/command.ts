import { Command, Option } from 'commander';
import { integerBetween, invalid, positive, seedNumber } from '../../command-line.ts';
import { invokedAs } from '../../invocation.ts';
import { parseBytes } from '../../units.ts';
import { PLANT_NAMES, type PlantName } from '../run/plants.ts';

const LEAST_SAMPLE_MS = 20;

/** The command line as commander gives it. */
export interface CommandFlags {
  readonly profile?: string;
  readonly bytes?: number;
  readonly seconds?: number;
  readonly seed?: number;
  readonly keys?: number;
  readonly adapter: string;
  readonly input?: string;
  readonly keyField?: string;
  readonly passes?: number;
  readonly dir?: string;
  readonly force?: boolean;
  /** True without a number. */
  readonly chaos?: number | true;
  readonly out: string;
  readonly sampleMs?: number;
  readonly maxRssMb?: number;
  readonly metricsPort?: number;
  readonly otlp?: string;
  readonly traceRatio?: number;
  readonly baseline?: string;
  readonly minEffect?: number;
  readonly history?: string;
  readonly benchmarkJson?: string;
  /** True without a port. */
  readonly serve?: number | true;
  readonly diagnoseHeap?: boolean;
  readonly selfTest?: boolean;
  readonly listSeries?: boolean;
  readonly plant?: PlantName;
}

export function describeCommand(): Command {
  return new Command(invokedAs('soak'))
    .description(
      'Writes and reads a store in a process of its own, watches that process from outside, and compares every key ' +
        'after each reopen and at the end. Without options: the profile smoke, 1 GiB of made-up data through tidemark.',
    )
    .option(
      '--profile <name|file.json>',
      'smoke, pr, nightly, or a file; the options below override it',
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
    .option(
      '--keys <n>',
      'distinct keys of made-up data (default: 20000, fewer for a short --bytes)',
      keyNumber,
    )
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
    .option('--force', 'empty the directory of --dir first, whatever it holds')
    .option(
      '--chaos [kills]',
      'kill -9 the store process so often in mid-run, and check what it had acknowledged (default: 2)',
      killNumber,
    )
    .option(
      '--out <directory>',
      'directory for report.html, summary.json, samples.csv, junit.xml and the rest',
      './tidemark-soak',
    )
    .option(
      '--sample-ms <n>',
      "milliseconds between samples (default: the profile's, or 1000)",
      sampleInterval,
    )
    .option(
      '--baseline <directory>',
      'compare with the report of an earlier run; a regression ends with 99',
    )
    .option('--min-effect <share>', 'times that differ less are the same (default: 0.1)', positive)
    .option(
      '--history <file.jsonl>',
      'append this run, and tell where the level of earlier ones changes',
    )
    .option('--benchmark-json <file>', 'write what github-action-benchmark reads there too')
    .option('--serve [port]', 'show the run in a browser while it goes (default: 8650)', port)
    .option(
      '--diagnose-heap',
      'compare two heap snapshots and name what grew (otherwise only when a gate on the heap fails)',
    )
    .option(
      '--self-test',
      'plant six faults and run clean ten times, to see that the gates tell them apart',
    )
    .option('--list-series', 'name what gates can judge')
    .addOption(new Option('--plant <name>', 'plant a fault').choices(PLANT_NAMES).hideHelp())
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
    .option(
      '--otlp <url>',
      'export spans over OTLP/HTTP, e.g. http://127.0.0.1:4318/v1/traces',
      httpUrl,
    )
    .option('--trace-ratio <n>', 'share of operations traced, from 0 to 1 (default: all)', ratio)
    .addHelpText('after', HELP)
    .showSuggestionAfterError();
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
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
    ? text
    : invalid('Give an http URL.');
}

function ratio(text: string): number {
  const value = Number(text);
  return text !== '' && value >= 0 && value <= 1 ? value : invalid('Give a number from 0 to 1.');
}

function sizeBytes(text: string): number {
  return parseBytes(text) ?? invalid('Give a size such as 512MB or 1GiB.');
}

function integer(text: string): number {
  return integerBetween(text, 1, Number.MAX_SAFE_INTEGER);
}

function killNumber(text: string): number {
  return integerBetween(text, 0, 10_000);
}

function keyNumber(text: string): number {
  return integerBetween(text, 1, 2 ** 31);
}

function sampleInterval(text: string): number {
  return integerBetween(text, LEAST_SAMPLE_MS, 3_600_000);
}
