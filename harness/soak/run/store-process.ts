import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { SoakConfiguration } from './configuration.ts';
import type { FromStoreProcess, InsideSample, ToStoreProcess } from './messages.ts';

/** How the process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that it printed to stderr. */
  readonly lastWords: readonly string[];
}

export type Prepared = Extract<FromStoreProcess, { type: 'prepared' }>;

const LAST_WORDS = 20;

/**
 * The process that holds the store, from its start to its end, as the observer sees it. A run has
 * one more of them than it has kills.
 */
export class StoreProcess {
  /** 0 for the first. */
  readonly number: number;
  /** Settles when the process has ended and everything that it said was received. */
  readonly ended: Promise<ProcessEnd>;
  /** Aborted when the process has ended. */
  readonly signal: AbortSignal;
  private readonly child: ChildProcess;
  private readonly lastWords: string[] = [];
  private readonly prepared: Promise<Prepared>;
  private settlePrepared: (prepared: Prepared) => void = () => {};
  private answer: ((inside: InsideSample) => void) | undefined;

  /** `onMessage` gets its messages, `onLine` the lines that it (or an adapter) prints. */
  constructor(
    number: number,
    onMessage: (message: FromStoreProcess) => void,
    onLine: (line: string) => void,
  ) {
    this.number = number;
    this.child = fork(new URL('./child.js', import.meta.url), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Memory that is in use can only be told from memory that is not yet collected by collecting.
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    this.prepared = new Promise((resolve) => {
      this.settlePrepared = resolve;
    });
    this.child.on('message', (message: FromStoreProcess) => {
      if (message.type === 'prepared') this.settlePrepared(message);
      if (message.type === 'sampled') this.answer?.(message.inside);
      onMessage(message);
    });
    const { stdout, stderr } = this.child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', onLine);
    if (stderr !== null) {
      createInterface({ input: stderr }).on('line', (line) => {
        onLine(line);
        this.lastWords.push(line);
        if (this.lastWords.length > LAST_WORDS) this.lastWords.shift();
      });
    }
    const over = new AbortController();
    this.signal = over.signal;
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        resolve({ code: null, signal: null, lastWords: [error.message] });
      });
      // 'close' comes after 'exit', when its pipes are drained and the channel is closed.
      this.child.once('close', (code, signal) =>
        resolve({ code, signal, lastWords: this.lastWords }),
      );
    });
    void this.ended.then(() => over.abort());
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

  /** Undefined when the process ends before it is ready. */
  prepare(configuration: SoakConfiguration): Promise<Prepared | undefined> {
    this.send({ type: 'prepare', configuration });
    return Promise.race([this.prepared, this.ended.then(() => undefined)]);
  }

  /**
   * Undefined when the process does not answer in time: it is busy, and the next sample may show
   * it.
   */
  async askInside(withinMs: number): Promise<InsideSample | undefined> {
    const timeout = new AbortController();
    const answered = new Promise<InsideSample>((resolve) => {
      this.answer = resolve;
    });
    this.send({ type: 'sample' });
    const signal = AbortSignal.any([timeout.signal, this.signal]);
    try {
      return await Promise.race([answered, delay(withinMs, undefined, { signal })]);
    } catch {
      return undefined;
    } finally {
      timeout.abort();
    }
  }
}
