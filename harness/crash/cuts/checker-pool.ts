import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { compiledProgram } from '../../package-root.ts';
import type { Outcome } from '../../workloads/hostile-values.ts';
import { endStrays, newMark } from '../../workloads/stray-processes.ts';
import type { WorkShape } from '../../workloads/work-steps.ts';
import { ageDirectory, scratchDirectory, writeDirectory } from '../recording/record-program.ts';

export interface CheckTask {
  readonly adapter: string;
  readonly directory: string;
  readonly seed: number;
  readonly shape: WorkShape;
  readonly ordered: boolean;
}

/** What opening an image has shown. */
export type Observation =
  | { readonly kind: 'holds'; readonly pairs: readonly (readonly [number, Outcome])[] }
  | { readonly kind: 'broken'; readonly promise: string; readonly message: string };

const TIMEOUT_MS = 20_000;
/** A checker that a store has made larger is replaced. */
const MOST_RSS_BYTES = 700 * 1024 * 1024;
const MOST_IMAGES = 2000;

interface Checker {
  readonly child: ChildProcess;
  images: number;
  errors: string;
}

/** Long-lived processes that open images; one that hangs, grows or dies is replaced. */
export class CheckerPool {
  private readonly scratch = scratchDirectory();
  private readonly idle: Checker[] = [];
  private readonly all = new Set<Checker>();
  private readonly waiting: (() => void)[] = [];
  private readonly program: string;
  private readonly mark = newMark();
  private busy = 0;
  private count = 0;
  private readonly size: number;

  constructor(size: number) {
    this.size = size;
    this.program = compiledProgram('crash/cuts/checker-child.js');
  }

  async observe(image: DiskImage, task: Omit<CheckTask, 'directory'>): Promise<Observation> {
    while (this.busy >= this.size) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.busy++;
    const directory = join(this.scratch, String(this.count++));
    try {
      writeDirectory(image, directory);
      ageDirectory(image, directory);
      return await this.ask(this.idle.pop() ?? this.start(), { ...task, directory });
    } finally {
      rmSync(directory, { recursive: true, force: true });
      this.busy--;
      this.waiting.shift()?.();
    }
  }

  end(): void {
    for (const { child } of this.all) child.kill('SIGKILL');
    endStrays(this.mark);
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private start(): Checker {
    const child = fork(this.program, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...this.mark },
    });
    const checker: Checker = { child, images: 0, errors: '' };
    child.stderr?.on('data', (chunk) => {
      checker.errors = (checker.errors + chunk).slice(-1000);
    });
    this.all.add(checker);
    child.once('close', () => this.all.delete(checker));
    return checker;
  }

  private ask(checker: Checker, task: CheckTask): Promise<Observation> {
    const { child } = checker;
    return new Promise((resolve) => {
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        child.kill('SIGKILL');
      }, TIMEOUT_MS);
      const died = (status: number | null, signal: string | null) => {
        clearTimeout(late);
        child.off('message', answered);
        const how = isLate
          ? `hangs for ${TIMEOUT_MS / 1000} s`
          : `ends the process (${signal ?? status}): ${checker.errors.trim().split('\n').slice(0, 6).join(' | ')}`;
        resolve({ kind: 'broken', promise: 'opens', message: `opening it ${how}` });
      };
      const answered = (answer: { observation: Observation; rss: number }) => {
        clearTimeout(late);
        child.off('close', died);
        child.off('message', answered);
        if (answer.rss > MOST_RSS_BYTES || ++checker.images >= MOST_IMAGES) child.kill('SIGKILL');
        else this.idle.push(checker);
        resolve(answer.observation);
      };
      child.once('close', died);
      child.on('message', answered);
      child.send(task, (error) => {
        if (error !== null) child.kill('SIGKILL');
      });
    });
  }
}
