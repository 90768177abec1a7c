import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { compiledProgram } from '../../package-root.ts';
import { endedByItself } from '../kills/kill-run.ts';

/** A process that goes on with a seeded workload until it is ended, and what it has told so far. */
export class BlockWriter {
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private text = '';
  private errors = '';
  private lineCount = 0;
  private isClosed = false;
  private wake: () => void = () => {};

  constructor(directory: string, seed: number) {
    const program = compiledProgram('crash/kills/kill-child.js');
    this.child = spawn(process.execPath, [program, directory, String(seed), '0', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
      this.lineCount += chunk.split('\n').length - 1;
      this.wake();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.errors += chunk;
    });
    this.closed = once(this.child, 'close').then(() => {
      this.isClosed = true;
      this.wake();
    });
  }

  /**
   * Lines that have come from it: one when it begins to open, one when it has opened, one a step.
   */
  get told(): number {
    return this.lineCount;
  }

  /** Resolves when it has told so many lines. Throws `InvariantBroken` when it ends before. */
  async tells(lines: number): Promise<void> {
    while (this.lineCount < lines) {
      if (this.isClosed) throw endedByItself(this.child.exitCode ?? 'a signal', this.errors);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Kills it; resolves to all lines that it finished. */
  async end(): Promise<string[]> {
    this.child.kill('SIGKILL');
    await this.closed;
    return this.text.split('\n').slice(0, -1);
  }
}
