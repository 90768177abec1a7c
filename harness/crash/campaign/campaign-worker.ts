import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { CrashStateCounts } from '../states/crash-states.ts';
import type {
  FromStatesWorker,
  StatesAnswer,
  StatesTask,
  ToStatesWorker,
} from './campaign-messages.ts';

/** A worker that says nothing for so long hangs in the store. */
const SILENCE_MS = 60_000;
const LAST_WORDS = 20;

/** A worker that did not answer: the store took it along, or never came to an end. */
export class WorkerLost extends Error {}

/** One process that checks workloads, as the campaign sees it. */
export class CampaignWorker {
  private readonly child: ChildProcess;
  private readonly ended: Promise<string>;
  private readonly lastWords: string[] = [];
  private isKilledForSilence = false;
  private heard: (message: FromStatesWorker) => void = () => {};

  constructor() {
    this.child = fork(new URL('./states-worker.js', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.child.on('message', (message: FromStatesWorker) => this.heard(message));
    if (this.child.stderr !== null) {
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        this.lastWords.push(line);
        if (this.lastWords.length > LAST_WORDS) this.lastWords.shift();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      // 'close' comes after 'exit', when its pipes are drained.
      this.child.once('close', (code, signal) => {
        const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
        resolve([`the process ${how}`, ...this.lastWords].join('\n'));
      });
    });
  }

  /** Throws `WorkerLost`. */
  async check(
    task: StatesTask,
    counted: (counts: CrashStateCounts) => void,
  ): Promise<StatesAnswer> {
    const silence = setTimeout(() => {
      this.isKilledForSilence = true;
      this.child.kill('SIGKILL');
    }, SILENCE_MS);
    const answered = new Promise<StatesAnswer>((resolve) => {
      this.heard = (message) => {
        silence.refresh();
        if (message.type === 'checked') resolve(message.answer);
        else counted(message.counts);
      };
    });
    this.send({ type: 'check', task });
    const answer = await Promise.race([answered, this.ended]);
    clearTimeout(silence);
    if (typeof answer !== 'string') return answer;
    throw new WorkerLost(
      this.isKilledForSilence
        ? `recovery did not come to an end in ${SILENCE_MS / 1000} s`
        : answer,
    );
  }

  stop(): void {
    this.send({ type: 'stop' });
  }

  /** Resolves when the process is gone. */
  async end(): Promise<void> {
    this.send({ type: 'end' });
    await this.ended;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send(message: ToStatesWorker): void {
    if (this.child.connected) this.child.send(message, () => {});
  }
}
