import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { compiledProgram } from '../../package-root.ts';
import { taskCommand } from '../../workloads/store-process.ts';
import { endedByItself } from '../kills/kill-run.ts';
import type { StoreSubject } from '../kills/store-subject.ts';

/** Keeps what is written well below the size of a disk. */
const PAUSE_MS = 30;

/** The words of a process that goes on with a hostile workload of any store. */
function storeWriter(
  directory: string,
  seed: number,
  { adapter, shape, contract: { ordered } }: StoreSubject,
): string[] {
  mkdirSync(directory, { recursive: true });
  const small = { ...shape, takesLarge: false };
  return taskCommand({
    ...{ task: 'work', adapter, directory, seed, round: 0, shape: small, ordered },
    before: [],
    goesOn: false,
    pauseMs: PAUSE_MS,
  });
}

/** A process that goes on with a seeded workload until it is ended, and what it has told so far. */
export class BlockWriter {
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private text = '';
  private errors = '';
  private lineCount = 0;
  private isClosed = false;
  private wake: () => void = () => {};

  constructor(directory: string, seed: number, store?: StoreSubject) {
    const own = [compiledProgram('crash/kills/kill-child.js'), directory, String(seed), '0', '0'];
    const [program, ...words] =
      store === undefined ? [process.execPath, ...own] : storeWriter(directory, seed, store);
    this.child = spawn(program as string, words, { stdio: ['ignore', 'pipe', 'pipe'] });
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

  /** Stops it where it is: from then on it asks for no sync. `resume` lets it go on. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** Kills it; resolves to all lines that it finished. */
  async end(): Promise<string[]> {
    this.child.kill('SIGKILL');
    await this.closed;
    return this.text.split('\n').slice(0, -1);
  }
}
