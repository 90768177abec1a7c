import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../command-line.ts';
import type { Failure } from './campaign.ts';

const FAILURES_DIRECTORY = 'failures';

/** The directory that a campaign reports into. What an earlier one left there is removed. */
export class CrashReportFiles {
  readonly directory: string;
  private failureCount = 0;

  /** Throws `UsageError` when it cannot be made. `names` are those of the files to come. */
  constructor(directory: string, names: readonly string[]) {
    this.directory = directory;
    try {
      mkdirSync(directory, { recursive: true });
      for (const name of [...names, FAILURES_DIRECTORY])
        rmSync(join(directory, name), { recursive: true, force: true });
    } catch (error) {
      throw new UsageError(`--out: ${(error as Error).message}`);
    }
  }

  /** Whole or not at all; returns the path. */
  write(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
    return path;
  }

  /** Keeps the store of a failure, and what there is to say about it, in a directory of its own. */
  keepFailure(failure: Failure): string {
    const directory = join(this.directory, FAILURES_DIRECTORY, String(++this.failureCount));
    mkdirSync(directory, { recursive: true });
    failure.keepStore(directory);
    const lines = [
      `${failure.invariant}: ${failure.message}`,
      `seed ${failure.seed}; again with: ${failure.command}`,
      '',
      ...failure.details,
    ];
    writeFileSync(join(directory, 'report.txt'), `${lines.join('\n')}\n`);
    return directory;
  }
}
