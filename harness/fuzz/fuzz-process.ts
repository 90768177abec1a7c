import { type ChildProcess, fork } from 'node:child_process';
import type { FromFuzzChild, FuzzFailure, ToFuzzChild } from './fuzz-messages.ts';

const HEAP_MEGABYTES = 512;
const LAST_WORDS_CHARACTERS = 2000;

/** The process hung, ran out of memory, or was ended by what it checked. */
export class FuzzProcessLost extends Error {
  /** The number of the input at which the process said it was, where it said so. */
  readonly index: number | undefined;

  constructor(message: string, index: number | undefined) {
    super(message);
    this.index = index;
  }
}

/** A process in which inputs are checked, with a watchdog. */
export class FuzzProcess {
  private readonly child: ChildProcess;
  private readonly ended: Promise<string>;
  private lastWords = '';
  private heard: (message: FromFuzzChild) => void = () => {};

  constructor() {
    this.child = fork(new URL('./fuzz-child.js', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [`--max-old-space-size=${HEAP_MEGABYTES}`],
    });
    this.child.on('message', (message: FromFuzzChild) => this.heard(message));
    this.child.stderr?.on('data', (text: Buffer) => {
      this.lastWords = (this.lastWords + text).slice(-LAST_WORDS_CHARACTERS);
    });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('close', (code, signal) =>
        resolve(`the process ended with ${signal ?? code}`),
      );
    });
  }

  /** Throws `FuzzProcessLost`, the process being gone, when nothing is heard for so long. */
  async check(
    task: ToFuzzChild,
    silenceMs: number,
  ): Promise<{ counts: Readonly<Record<string, number>>; failure: FuzzFailure | undefined }> {
    let index: number | undefined;
    let isSilent = false;
    const silence = setTimeout(() => {
      isSilent = true;
      this.child.kill('SIGKILL');
    }, silenceMs);
    const checked = new Promise<Extract<FromFuzzChild, { type: 'checked' }>>((resolve) => {
      this.heard = (message) => {
        silence.refresh();
        if (message.type === 'checked') resolve(message);
        else index = message.index;
      };
    });
    this.child.send(task, () => {});
    const answer = await Promise.race([checked, this.ended]);
    clearTimeout(silence);
    if (typeof answer !== 'string') return answer;
    const why = isSilent
      ? `no end within ${silenceMs / 1000} s`
      : `${answer}\n${this.lastWords}`.trim();
    throw new FuzzProcessLost(why, index);
  }

  async end(): Promise<void> {
    if (this.child.connected) this.child.send({ type: 'end' } satisfies ToFuzzChild, () => {});
    await this.ended;
  }
}
