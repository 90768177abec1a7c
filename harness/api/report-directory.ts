import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where a run reports: the directory that was asked for, or one that goes with the run. */
export class ReportDirectory {
  readonly path: string;
  private readonly isOurs: boolean;
  private readonly remove = () => rmSync(this.path, { recursive: true, force: true });

  constructor(asked: string | undefined) {
    this.isOurs = asked === undefined;
    this.path = asked === undefined ? mkdtempSync(join(tmpdir(), 'tidemark-')) : resolve(asked);
    // A test runner that ends does not wait for a run that it has given up.
    if (this.isOurs) process.once('exit', this.remove);
  }

  /** Undefined for a directory that is kept. */
  get temporaryPath(): string | undefined {
    return this.isOurs ? this.path : undefined;
  }

  [Symbol.dispose](): void {
    if (!this.isOurs) return;
    process.off('exit', this.remove);
    this.remove();
  }
}
