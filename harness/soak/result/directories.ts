import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { UsageError } from '../../command-line.ts';
import type { SoakOptions } from '../options/options.ts';
import type { Sample } from '../sampling/sample.ts';
import { SampleFile } from '../sampling/samples.ts';
import type { Summary } from './summary.ts';

const SUMMARY_FILE = 'summary.json';
const SAMPLES_FILE = 'samples.csv';
const METRICS_FILE = 'metrics.prom';
const ACKNOWLEDGEMENT_FILE = '.acknowledged';
/** Files of an earlier run would be taken for those of this one. */
const REPORT_FILES = [
  SUMMARY_FILE,
  METRICS_FILE,
  'junit.xml',
  'benchmark.json',
  'report.html',
  ACKNOWLEDGEMENT_FILE,
] as const;

/**
 * Throws `UsageError` unless `path` is nothing yet, or an empty directory, or with `force` any
 * directory.
 */
export function checkEmpty(flag: string, path: string, force: boolean): void {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new UsageError(
      code === 'ENOTDIR' ? `${flag}: ${path} is not a directory` : `${flag}: ${message}`,
    );
  }
  if (names.length > 0 && !force) {
    throw new UsageError(
      `${flag}: ${path} already holds something (${names[0]}); name a new or empty directory, or give --force to empty it`,
    );
  }
}

/** Where one run puts its store and its report. */
export class RunDirectories {
  readonly store: string;
  private readonly out: string;
  private readonly storeIsOurs: boolean;
  private readonly samples: SampleFile;
  private firstFailure: string | undefined;

  /** Makes what is missing and removes the report of an earlier run. Throws `UsageError`. */
  constructor({ outDirectory, storeDirectory, force }: SoakOptions) {
    this.out = outDirectory;
    this.storeIsOurs = storeDirectory === undefined;
    attempt('--out', () => makeDirectory(outDirectory));
    this.store = attempt('--dir', () => {
      if (storeDirectory === undefined) return mkdtempSync(join(outDirectory, 'store-'));
      makeDirectory(storeDirectory);
      if (force) for (const name of readdirSync(storeDirectory)) remove(join(storeDirectory, name));
      return storeDirectory;
    });
    this.samples = attempt('--out', () => {
      for (const name of REPORT_FILES) remove(join(outDirectory, name));
      return new SampleFile(join(outDirectory, SAMPLES_FILE));
    });
  }

  /**
   * Why the report is not complete, if it is not: the disk that a store has filled may be the
   * report's too.
   */
  get reportFailure(): string | undefined {
    return this.firstFailure;
  }

  addSample(sample: Sample): void {
    this.write(() => this.samples.add(sample));
  }

  /** The last scrape of the store process. */
  writeMetrics(text: string): void {
    this.write(() => writeFileSync(join(this.out, METRICS_FILE), text));
  }

  /** A file of the observer for runs that kill; outside the store. */
  get acknowledgementPath(): string {
    return join(this.out, ACKNOWLEDGEMENT_FILE);
  }

  /** Where the store of a diagnosis lies for a while. */
  get diagnosisPath(): string {
    return join(this.out, '.diagnosis');
  }

  /** Whole or not at all. */
  writeSummary(summary: Summary): void {
    this.writeReport(SUMMARY_FILE, `${JSON.stringify(summary, undefined, 2)}\n`);
  }

  /** Whole or not at all. */
  writeReport(name: string, text: string): void {
    const path = join(this.out, name);
    this.write(() => {
      try {
        writeFileSync(`${path}.tmp`, text);
        renameSync(`${path}.tmp`, path);
      } catch (error) {
        remove(`${path}.tmp`);
        throw error;
      }
    });
  }

  /** What could not be written, and is not the run's fault. */
  async attempt(work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.firstFailure ??= (error as Error).message;
    }
  }

  /** The names of what was written, as seen from here. */
  written(): string[] {
    const names = [
      'report.html',
      SUMMARY_FILE,
      SAMPLES_FILE,
      'junit.xml',
      'benchmark.json',
      METRICS_FILE,
    ];
    return names
      .map((name) => join(this.out, name))
      .filter((path) => existsSync(path))
      .map(shown);
  }

  /**
   * Removes the store that nobody needs any more, unless the user named its directory. True when it
   * is gone.
   */
  discardStore(): boolean {
    if (this.storeIsOurs) remove(this.store);
    return this.storeIsOurs;
  }

  /** Cleans up after a run that never began. */
  discardAll(): void {
    this.discardStore();
    remove(join(this.out, SAMPLES_FILE));
    this.discardAcknowledgements();
  }

  discardAcknowledgements(): void {
    remove(this.acknowledgementPath);
  }

  private write(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.firstFailure ??= (error as Error).message;
    }
  }
}

/**
 * Makes a directory and its parents. `recursive` is not used: it never returns where an existing
 * directory says ENOENT to what it is to hold, as /proc does.
 */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeDirectory(parent);
  mkdirSync(path);
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function attempt<T>(flag: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`);
  }
}

/** The shorter of the absolute path and the one from here. */
export function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere;
}
