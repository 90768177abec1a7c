import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { UnitLine } from './unit-lines.ts';
import type { FromUnitProcess, ToUnitProcess } from './unit-messages.ts';

/** A process that says nothing for so long hangs in the store. */
const SILENCE_MS = 180_000;
const LAST_WORDS = 20;

/** What a unit came to in its process. */
export type UnitAnswer =
  | { readonly type: 'done'; readonly line: UnitLine }
  /** The store took its process along, or never came to an end. */
  | { readonly type: 'lost'; readonly message: string }
  /** Nothing that the store has done: the machine ended it, or the harness is at fault. */
  | { readonly type: 'failed'; readonly message: string };

/** One process that runs units, as a shard sees it. */
export class UnitProcess {
  private readonly child: ChildProcess;
  private readonly ended: Promise<UnitAnswer>;
  private readonly lastWords: string[] = [];
  private isSilent = false;
  private heard: (message: FromUnitProcess) => void = () => {};

  constructor(program: URL) {
    this.child = fork(program, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child.on('message', (message: FromUnitProcess) => this.heard(message));
    if (this.child.stderr !== null) {
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        this.lastWords.push(line);
        if (this.lastWords.length > LAST_WORDS) this.lastWords.shift();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', ({ message }) => resolve({ type: 'failed', message }));
      // 'close' comes after 'exit', when its pipes are drained.
      this.child.once('close', (code, signal) => {
        if (this.isSilent)
          return resolve({
            type: 'lost',
            message: `it did not come to an end: nothing was heard for ${SILENCE_MS / 1000} s`,
          });
        const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
        const message = [`the process ${how}`, ...this.lastWords].join('\n');
        resolve({ type: signal === 'SIGKILL' ? 'failed' : 'lost', message });
      });
    });
  }

  async run(task: Extract<ToUnitProcess, { type: 'run' }>): Promise<UnitAnswer> {
    const silence = setTimeout(() => {
      this.isSilent = true;
      this.child.kill('SIGKILL');
    }, SILENCE_MS);
    const answered = new Promise<UnitAnswer>((resolve) => {
      this.heard = (message) => {
        silence.refresh();
        if (message.type !== 'alive') resolve(message);
      };
    });
    this.send(task);
    const answer = await Promise.race([answered, this.ended]);
    clearTimeout(silence);
    return answer;
  }

  stop(): void {
    this.send({ type: 'stop' });
  }

  /** Resolves when the process is gone. */
  async end(): Promise<void> {
    // Not by a disconnect: then its 'close' would never be heard of.
    this.send({ type: 'end' });
    await this.ended;
  }

  private send(message: ToUnitProcess): void {
    if (this.child.connected) this.child.send(message, () => {});
  }
}
