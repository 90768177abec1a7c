import type { FuzzFailure } from './fuzz-messages.ts';
import type { FuzzOptions } from './fuzz-options.ts';
import { FuzzProcess, FuzzProcessLost } from './fuzz-process.ts';
import { kindOf, shrink } from './fuzz-shrink.ts';
import { seedStores } from './seed-stores.ts';
import { makeInput } from './targets.ts';

const BATCH_INPUTS = 250;
/** How long a batch may be silent; it takes less than a second. */
const BATCH_SILENCE_MS = 60_000;
/** How long one input may be silent. */
const INPUT_SILENCE_MS = 30_000;
/** Who has found so many different things has enough to do. */
const MOST_FINDINGS = 20;

export interface FuzzResult {
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly FuzzFailure[];
}

/**
 * Checks all inputs, in several processes. Findings of one kind count once. Throws when no process
 * can be started.
 */
export class FuzzCampaign {
  private readonly options: FuzzOptions;
  private readonly signal: AbortSignal;
  private readonly onProgress: (inputs: number) => void;
  private readonly counts: Record<string, number> = {};
  private readonly findings = new Map<string, FuzzFailure>();
  private next = 0;
  private checked = 0;

  constructor(options: FuzzOptions, signal: AbortSignal, onProgress: (inputs: number) => void) {
    this.options = options;
    this.signal = signal;
    this.onProgress = onProgress;
  }

  async run(): Promise<FuzzResult> {
    await Promise.all(Array.from({ length: this.options.workers }, () => this.work()));
    const findings: FuzzFailure[] = [];
    for (const finding of this.findings.values())
      findings.push(await shrink(finding, INPUT_SILENCE_MS));
    return { counts: this.counts, findings };
  }

  private async work(): Promise<void> {
    let process = new FuzzProcess();
    while (
      this.next < this.options.inputs &&
      this.findings.size < MOST_FINDINGS &&
      !this.signal.aborted
    ) {
      const from = this.next;
      this.next = Math.min(from + BATCH_INPUTS, this.options.inputs);
      process = await this.checkRange(process, from, this.next);
    }
    await process.end();
  }

  /** Returns the process to go on with, which is another one when this was lost. */
  private async checkRange(
    process: FuzzProcess,
    from: number,
    to: number,
    tellsEach = false,
  ): Promise<FuzzProcess> {
    const { seed, target: only } = this.options;
    const silenceMs = tellsEach ? INPUT_SILENCE_MS : BATCH_SILENCE_MS;
    let current = process;
    for (let start = from; start < to; ) {
      try {
        const task = { type: 'range', seed, from: start, to, only, tellsEach } as const;
        const { counts, failure } = await current.check(task, silenceMs);
        this.count(counts);
        if (failure?.index === undefined) return current;
        this.note(failure);
        start = failure.index + 1;
      } catch (error) {
        if (!(error instanceof FuzzProcessLost)) throw error;
        await current.end();
        current = new FuzzProcess();
        // Which of the inputs it was is only known when they are checked one by one.
        if (!tellsEach) return this.checkRange(current, start, to, true);
        if (error.index === undefined) {
          await current.end();
          throw new Error(`a process ended before its first input: ${error.message}`, {
            cause: error,
          });
        }
        this.note(await this.lost(error.index, error.message));
        start = error.index + 1;
      }
    }
    return current;
  }

  private async lost(index: number, message: string): Promise<FuzzFailure> {
    const { target, input } = makeInput(
      this.options.seed,
      index,
      await seedStores(),
      this.options.target,
    );
    return { index, target: target.name, message, input };
  }

  private note(failure: FuzzFailure): void {
    const kind = kindOf(failure);
    if (!this.findings.has(kind)) this.findings.set(kind, failure);
    this.count({ [failure.target]: 1 });
  }

  private count(counts: Readonly<Record<string, number>>): void {
    for (const [name, more] of Object.entries(counts)) {
      this.counts[name] = (this.counts[name] ?? 0) + more;
      this.checked += more;
    }
    this.onProgress(this.checked);
  }
}
