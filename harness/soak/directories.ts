import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type SoakOptions, UsageError } from './options.ts';
import { type Sample, SampleFile } from './samples.ts';
import type { Summary } from './summary.ts';

const SUMMARY_FILE = 'summary.json';
const SAMPLES_FILE = 'samples.csv';
const METRICS_FILE = 'metrics.prom';

/** Throws `UsageError` unless `path` is nothing yet, or an empty directory. */
export function checkEmpty(flag: string, path: string): void {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new UsageError(code === 'ENOTDIR' ? `${flag}: ${path} is not a directory` : `${flag}: ${message}`);
  }
  if (names.length > 0) {
    throw new UsageError(
      `${flag}: ${path} already holds something (${names[0]}); name a new or empty directory`,
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
  constructor({ outDirectory, storeDirectory }: SoakOptions) {
    this.out = outDirectory;
    this.storeIsOurs = storeDirectory === undefined;
    attempt('--out', () => mkdirSync(outDirectory, { recursive: true }));
    this.store = attempt('--dir', () => {
      if (storeDirectory === undefined) return mkdtempSync(join(outDirectory, 'store-'));
      mkdirSync(storeDirectory, { recursive: true });
      return storeDirectory;
    });
    this.samples = attempt('--out', () => {
      for (const name of [SUMMARY_FILE, METRICS_FILE]) rmSync(join(outDirectory, name), { force: true });
      return new SampleFile(join(outDirectory, SAMPLES_FILE));
    });
  }

  /** Why the report is not complete, if it is not: the disk that a store has filled may be the report's too. */
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

  /** Whole or not at all. The names of what was written, as seen from here. */
  writeSummary(summary: Summary): string[] {
    const path = join(this.out, SUMMARY_FILE);
    this.write(() => {
      writeFileSync(`${path}.tmp`, `${JSON.stringify(summary, undefined, 2)}\n`);
      renameSync(`${path}.tmp`, path);
    });
    return [path, join(this.out, SAMPLES_FILE), join(this.out, METRICS_FILE)]
      .filter((written) => existsSync(written))
      .map(shown);
  }

  /** Removes the store that nobody needs any more, unless the user named its directory. True when it is gone. */
  discardStore(): boolean {
    if (this.storeIsOurs) rmSync(this.store, { recursive: true, force: true });
    return this.storeIsOurs;
  }

  /** After a run that never began. */
  discardAll(): void {
    this.discardStore();
    rmSync(join(this.out, SAMPLES_FILE), { force: true });
  }

  private write(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.firstFailure ??= (error as Error).message;
    }
  }
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
