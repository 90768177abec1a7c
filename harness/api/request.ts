import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StoreContract } from '../contract.ts';

/** What soak and crash take alike. */
export interface HarnessRequest {
  /**
   * The store: the path of an adapter module, relative to the working directory, or its file URL; a
   * ready-made adapter or an installed package by its name. tidemark by default.
   */
  readonly adapter?: string | URL;
  /** Repeats the run that told this seed. An integer from 0 to 2^32 - 1; random by default. */
  readonly seed?: number;
  /**
   * The directory of the report. Without it nothing is kept, and the summary tells all there is.
   */
  readonly out?: string;
  /**
   * Ends the run: in order where that is quick, otherwise by killing what was started. The summary
   * then says `interrupted`.
   */
  readonly signal?: AbortSignal;
  /** Called now and then, with a line for a person. */
  readonly onProgress?: (progress: HarnessProgress) => void;
}

export interface HarnessProgress {
  /** Seconds since the run began. */
  readonly elapsedS: number;
  readonly line: string;
}

export interface SoakRequest extends HarnessRequest {
  /**
   * What is done and what must hold: `smoke` (the default), `pr`, `nightly`, or the path of a
   * profile. What follows overrides it.
   */
  readonly profile?: string | URL;
  /** Keys and values to put: a number of bytes, or a size such as `512MB`. */
  readonly bytes?: number | string;
  /** Writes for so long instead. */
  readonly seconds?: number;
  readonly keys?: number;
  /** A file of JSON lines instead of made-up data. */
  readonly input?: string | URL;
  readonly keyField?: string;
  readonly passes?: number;
  /** How often the store process is killed. */
  readonly chaos?: number;
  /** A new or empty directory for the store; it is kept. */
  readonly dir?: string;
  /** The directory of an earlier report, to compare with. */
  readonly baseline?: string;
  readonly history?: string;
  readonly benchmarkJson?: string;
  /** Milliseconds between samples. */
  readonly sampleMs?: number;
  /** In units of 1,000,000 bytes. */
  readonly maxRssMb?: number;
  /** Compares two heap snapshots of the running store, whatever the gates say. */
  readonly diagnoseHeap?: boolean;
}

export interface CrashRequest extends HarnessRequest {
  readonly profile?: 'quick' | 'default' | 'nightly';
  /** Seconds of the whole campaign, or of its only part. */
  readonly seconds?: number;
  readonly part?: 'workload' | 'cuts' | 'kills' | 'faults';
  /** What the store promises, where that differs from what its adapter exports. */
  readonly contract?: Partial<Pick<StoreContract, 'put' | 'history'>> & {
    readonly sync?: 'kill' | 'power';
  };
  /** Processes that check; 2 by default. */
  readonly workers?: number;
}

type Value = string | number | boolean | URL | undefined;

const SOAK_WORDS = {
  adapter: '--adapter',
  seed: '--seed',
  profile: '--profile',
  bytes: '--bytes',
  seconds: '--seconds',
  keys: '--keys',
  input: '--input',
  keyField: '--key-field',
  passes: '--passes',
  chaos: '--chaos',
  dir: '--dir',
  baseline: '--baseline',
  history: '--history',
  benchmarkJson: '--benchmark-json',
  sampleMs: '--sample-ms',
  maxRssMb: '--max-rss-mb',
  diagnoseHeap: '--diagnose-heap',
} as const;

const CRASH_WORDS = {
  adapter: '--adapter',
  seed: '--seed',
  profile: '--profile',
  seconds: '--seconds',
  part: '--part',
  workers: '--workers',
} as const;

/** The request as the words of a command line, so that both are checked in one place. */
export function soakWords(request: SoakRequest, out: string): string[] {
  const { signal: _, onProgress: __, out: ___, ...given } = { profile: 'smoke', ...request };
  return [...wordsOf('soak', given, SOAK_WORDS), '--out', out];
}

export function crashWords(request: CrashRequest, out: string): string[] {
  const { signal: _, onProgress: __, out: ___, contract = {}, ...given } = request;
  const { put, sync, history, ...others } = contract;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new TypeError(`crash: contract has no ${unknown}; it takes put, sync and history`);
  const survives = [
    ...(put === undefined ? [] : [`put=${put}`]),
    ...(sync === undefined ? [] : [`sync=${sync}`]),
  ];
  return [
    ...wordsOf('crash', { adapter: 'tidemark', ...given }, CRASH_WORDS),
    ...(survives.length === 0 ? [] : ['--survives', survives.join()]),
    ...(history === undefined ? [] : ['--history', history]),
    '--out',
    out,
  ];
}

function wordsOf(
  name: string,
  request: Readonly<Record<string, Value>>,
  flags: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(request).flatMap(([option, value]) => {
    const flag = Object.hasOwn(flags, option) ? flags[option] : undefined;
    if (flag === undefined) {
      throw new TypeError(
        `${name} has no option ${JSON.stringify(option)}; it takes ${Object.keys(flags).join(', ')}, out, signal and onProgress`,
      );
    }
    if (value === undefined || value === false) return [];
    return value === true ? [flag] : [flag, textOf(value)];
  });
}

/** A file of the working directory by its shorter name, which the command that repeats it shows. */
function textOf(value: string | number | URL): string {
  if (typeof value !== 'object') return String(value);
  const path = fileURLToPath(value);
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : `./${fromHere}`;
}
