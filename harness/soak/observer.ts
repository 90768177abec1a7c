import { setTimeout as delay } from 'node:timers/promises';
import { ExitCode } from '../exit-code.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { CountedCheckpoint } from './gates.ts';
import type { Checkpoint, FromStoreProcess, InsideSample } from './messages.ts';
import { countDescriptors, peakRssBytes, viewProcess } from './process-view.ts';
import type { Goal, Progress } from './progress.ts';
import type { Sample } from './samples.ts';
import type { RunOutcome, RunTotals } from './soak-run.ts';
import { type ProcessEnd, StoreProcess } from './store-process.ts';
import type { TelemetryReport } from './store-telemetry.ts';

/** A store process that neither writes nor checks anything for so long is hung. */
const STALLED_MS = 10 * 60 * 1000;

/** Everything that was seen of one run. */
export interface Observation {
  readonly pid: number;
  readonly keyCount: number;
  readonly rowCount?: number;
  readonly samples: readonly Sample[];
  readonly checkpoints: readonly CountedCheckpoint[];
  /** By the kernel's account where there is one, else the highest sample. */
  readonly peakRssBytes: number | undefined;
  readonly durationMs: number;
  /** Undefined when the process ended without a word. */
  readonly outcome: RunOutcome | undefined;
  /** As far as they are known. */
  readonly totals: RunTotals | undefined;
  /** When it was asked for. */
  readonly telemetry?: TelemetryReport;
  readonly processEnd: ProcessEnd;
  readonly interruptedBy?: 'SIGINT' | 'SIGTERM';
  /** The observer killed it: it hung, or was interrupted a second time. */
  readonly killed: boolean;
}

/** The run never began, or not further than an opening that failed. */
export class Refusal extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}

export type Prepared = Extract<FromStoreProcess, { type: 'prepared' }>;

export interface ObserverOptions {
  readonly configuration: SoakConfiguration;
  readonly sampleIntervalMs: number;
  readonly progress: Progress;
  /** Called when adapter and input are known to be usable: gives the directory of the store. */
  readonly begin: (prepared: Prepared, pid: number) => string;
  readonly sampled: (sample: Sample) => void;
}

/** Starts the store process, watches it from outside until it ends, and judges nothing. */
export class Observer {
  private readonly options: ObserverOptions;
  private readonly process: StoreProcess;
  private readonly samples: Sample[] = [];
  private readonly checkpoints: CountedCheckpoint[] = [];
  private readonly prepared = deferred<Prepared>();
  private readonly hasEnded = new AbortController();
  private sampling: Promise<void> = Promise.resolve();
  private answer: ((inside: InsideSample) => void) | undefined;
  private startedAtMs = 0;
  private highestRssBytes: number | undefined;
  private goal: Goal = {};
  private outcome: RunOutcome | undefined;
  private totals: RunTotals | undefined;
  private telemetry: TelemetryReport | undefined;
  private refusal: Refusal | undefined;
  private interruptedBy: 'SIGINT' | 'SIGTERM' | undefined;
  private killed = false;
  private lastProgress = { mark: -1, atMs: 0 };

  constructor(options: ObserverOptions) {
    this.options = options;
    this.process = new StoreProcess(
      (message) => this.hear(message),
      (line) => options.progress.print(line),
    );
  }

  /** Throws `Refusal`. */
  async run(): Promise<Observation> {
    const { configuration, begin } = this.options;
    const gone = this.process.ended.then(() => this.hasEnded.abort());
    this.process.send({ type: 'prepare', configuration });
    const prepared = await Promise.race([this.prepared.promise, gone]);
    if (prepared === undefined) throw this.refusal ?? (await this.neverReady());
    this.goal = {
      ...(prepared.goalBytes === undefined ? {} : { bytes: prepared.goalBytes }),
      ...(configuration.goal.seconds === undefined ? {} : { seconds: configuration.goal.seconds }),
    };
    let directory: string;
    try {
      directory = begin(prepared, this.process.pid);
    } catch (error) {
      this.process.kill();
      throw error;
    }
    this.startedAtMs = performance.now();
    this.process.send({ type: 'run', directory });
    await this.sampleUntilEnd();
    const processEnd = await this.process.ended;
    if (this.refusal !== undefined) throw this.refusal;
    const { keyCount, rowCount } = prepared;
    return {
      pid: this.process.pid,
      keyCount,
      ...(rowCount === undefined ? {} : { rowCount }),
      samples: this.samples,
      checkpoints: this.checkpoints,
      peakRssBytes: this.highestRssBytes,
      durationMs: performance.now() - this.startedAtMs,
      outcome: this.outcome,
      totals: this.totals,
      ...(this.telemetry === undefined ? {} : { telemetry: this.telemetry }),
      processEnd,
      ...(this.interruptedBy === undefined ? {} : { interruptedBy: this.interruptedBy }),
      killed: this.killed,
    };
  }

  /** The first time the run ends in order; the second time the store process is killed. */
  interrupt(signal: 'SIGINT' | 'SIGTERM'): void {
    if (this.interruptedBy === undefined && this.startedAtMs > 0) {
      this.interruptedBy = signal;
      this.options.progress.print('stopping in order; once more to kill the store process');
      this.process.send({ type: 'stop' });
      return;
    }
    this.interruptedBy ??= signal;
    this.kill();
  }

  private kill(): void {
    this.killed = true;
    this.process.kill();
  }

  private hear(message: FromStoreProcess): void {
    switch (message.type) {
      case 'prepared':
        this.prepared.resolve(message);
        break;
      case 'refused':
        this.refusal = new Refusal(message.reason);
        break;
      case 'sampled':
        this.answer?.(message.inside);
        break;
      case 'checkpoint':
        this.countAtRest(message);
        break;
      case 'telemetry':
        this.telemetry = message.report;
        break;
      case 'ended':
        this.outcome = message.outcome;
        this.totals = message.totals;
        void this.sampleAndRelease();
    }
  }

  private countAtRest({ store, stats }: Checkpoint): void {
    const descriptors = countDescriptors(this.process.pid);
    this.checkpoints.push({ store, ...(stats === undefined ? {} : { stats }), descriptors });
    this.process.send({ type: 'continue' });
  }

  /** The process waits for one last look at it. */
  private async sampleAndRelease(): Promise<void> {
    await this.sampling;
    await this.sample();
    this.process.send({ type: 'continue' });
  }

  private async sampleUntilEnd(): Promise<void> {
    const { signal } = this.hasEnded;
    for (let tick = 1; !signal.aborted && this.outcome === undefined; tick++) {
      this.sampling = this.sample();
      await this.sampling;
      const nextAtMs = this.startedAtMs + tick * this.options.sampleIntervalMs;
      await delay(Math.max(0, nextAtMs - performance.now()), undefined, { signal }).catch(() => {});
    }
  }

  private async sample(): Promise<void> {
    const elapsedS = (performance.now() - this.startedAtMs) / 1000;
    const [outside, inside] = await Promise.all([viewProcess(this.process.pid), this.askInside()]);
    // Gone while we looked: half a sample says nothing.
    if (outside.rssBytes === undefined && inside === undefined) return;
    this.totals = inside?.totals ?? this.totals;
    const seen = [this.highestRssBytes, outside.rssBytes, peakRssBytes(this.process.pid)];
    this.highestRssBytes = Math.max(...seen.map((bytes) => bytes ?? 0)) || undefined;
    const sample = { elapsedS, outside, inside };
    this.samples.push(sample);
    this.options.sampled(sample);
    this.options.progress.update(sample, this.goal);
    this.killWhenStalled();
  }

  /** Undefined when the process does not answer within the interval: it is busy, and the next sample may show it. */
  private async askInside(): Promise<InsideSample | undefined> {
    const timeout = new AbortController();
    const answered = new Promise<InsideSample>((resolve) => {
      this.answer = resolve;
    });
    this.process.send({ type: 'sample' });
    const { sampleIntervalMs } = this.options;
    const { signal } = timeout;
    try {
      return await Promise.race([
        answered,
        delay(sampleIntervalMs, undefined, { signal: AbortSignal.any([signal, this.hasEnded.signal]) }),
      ]);
    } catch {
      return undefined;
    } finally {
      timeout.abort();
    }
  }

  private killWhenStalled(): void {
    const { operations = 0, keysChecked = 0, compacts = 0, reopens = 0 } = this.totals ?? {};
    const mark = operations + keysChecked + compacts + reopens;
    if (mark !== this.lastProgress.mark) this.lastProgress = { mark, atMs: performance.now() };
    else if (performance.now() - this.lastProgress.atMs > STALLED_MS) this.kill();
  }

  private async neverReady(): Promise<Error> {
    if (this.interruptedBy !== undefined) {
      const exitCode = this.interruptedBy === 'SIGTERM' ? ExitCode.terminated : ExitCode.interrupted;
      return new Refusal('interrupted before the run began', exitCode);
    }
    const { code, signal, lastWords } = await this.process.ended;
    const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
    return new Refusal([`the store process ${how} before the run began`, ...lastWords].join('\n'));
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
