import { setTimeout as delay } from 'node:timers/promises';
import type { SoakConfiguration } from './configuration.ts';
import type { FromStoreProcess, InsideSample, ToStoreProcess } from './messages.ts';
import { type ProcessEnd, StoreProcess } from './store-process.ts';

export type Prepared = Extract<FromStoreProcess, { type: 'prepared' }>;

/** One store process, from its start to its end: a run has one more than it has kills. */
export class Life {
  /** 0 for the first. */
  readonly number: number;
  private readonly process: StoreProcess;
  private readonly over = new AbortController();
  private readonly prepared: Promise<Prepared>;
  private settlePrepared: (prepared: Prepared) => void = () => {};
  private answer: ((inside: InsideSample) => void) | undefined;

  /** `heard` gets its messages, `printed` the lines that it prints. */
  constructor(
    number: number,
    heard: (message: FromStoreProcess) => void,
    printed: (line: string) => void,
  ) {
    this.number = number;
    this.prepared = new Promise((resolve) => {
      this.settlePrepared = resolve;
    });
    this.process = new StoreProcess((message) => {
      if (message.type === 'prepared') this.settlePrepared(message);
      if (message.type === 'sampled') this.answer?.(message.inside);
      heard(message);
    }, printed);
    void this.process.ended.then(() => this.over.abort());
  }

  get pid(): number {
    return this.process.pid;
  }

  get ended(): Promise<ProcessEnd> {
    return this.process.ended;
  }

  /** Aborted when the process has ended. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  send(message: ToStoreProcess): void {
    this.process.send(message);
  }

  kill(): void {
    this.process.kill();
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
