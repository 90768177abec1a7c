import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { FromStoreProcess, ToStoreProcess } from './messages.ts';

/** How the process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that it printed to stderr. */
  readonly lastWords: readonly string[];
}

const LAST_WORDS = 20;

/** The process that holds the store, as the observer sees it. */
export class StoreProcess {
  /** Settles when the process has ended and everything that it said was received. */
  readonly ended: Promise<ProcessEnd>;
  private readonly child: ChildProcess;
  private readonly lastWords: string[] = [];

  /** `heard` gets its messages, `printed` the lines that it (or an adapter) prints. */
  constructor(heard: (message: FromStoreProcess) => void, printed: (line: string) => void) {
    this.child = fork(new URL('./child.js', import.meta.url), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Memory that is in use can only be told from memory that is not yet collected by collecting.
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    this.child.on('message', heard);
    const { stdout, stderr } = this.child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', printed);
    if (stderr !== null) {
      createInterface({ input: stderr }).on('line', (line) => {
        printed(line);
        this.lastWords.push(line);
        if (this.lastWords.length > LAST_WORDS) this.lastWords.shift();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        resolve({ code: null, signal: null, lastWords: [error.message] });
      });
      // 'close' comes after 'exit', when its pipes are drained and the channel is closed.
      this.child.once('close', (code, signal) =>
        resolve({ code, signal, lastWords: this.lastWords }),
      );
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Nothing happens when the process has ended; `ended` tells. */
  send(message: ToStoreProcess): void {
    if (this.child.connected) this.child.send(message, () => {});
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
