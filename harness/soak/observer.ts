import { setTimeout as delay } from 'node:timers/promises';
import { ExitCode } from '../exit-code.ts';
import { type Acknowledged, readAcknowledged } from './acknowledgements.ts';
import { ChaosPlan } from './chaos-plan.ts';
import type { SoakConfiguration } from './configuration.ts';
import { directorySizeBytes } from './directory-size.ts';
import { EventLog } from './event-log.ts';
import type { CountedCheckpoint } from './gates.ts';
import type { RunTotals } from './ledger.ts';
import type { Checkpoint, FromStoreProcess, InsideSample, Resume, ToStoreProcess } from './messages.ts';
import { countDescriptors, peakRssBytes, viewProcess } from './process-view.ts';
import type { Goal, Progress } from './progress.ts';
import type { Survived } from './replay.ts';
import type { Sample } from './samples.ts';
import type { RunOutcome } from './soak-run.ts';
import { type ProcessEnd, StoreProcess } from './store-process.ts';
import type { TelemetryReport } from './store-telemetry.ts';
import type { OperationLatency, RunEvent } from './summary.ts';

/** A store process that neither writes nor checks anything for so long is hung. */
const STALLED_MS = 10 * 60 * 1000;

/** Everything that was seen of one run. */
export interface Observation {
  /** Of the last process. */
  readonly pid: number;
  readonly keyCount: number;
  readonly rowCount?: number;
  readonly samples: readonly Sample[];
  readonly checkpoints: readonly CountedCheckpoint[];
  readonly events: EventLog;
  /** Of the last process. */
  readonly latency: readonly OperationLatency[];
  /** Until then no gate judges. */
  readonly warmupEndsAtS: number;
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
  /** A gate with `abortOnFail` has failed. */
  readonly aborted: boolean;
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
  /** Of the run, that no gate judges. */
  readonly warmupShare: number;
  readonly progress: Progress;
  /** Called when adapter and input are known to be usable: where the run takes place. */
  readonly begin: (prepared: Prepared, pid: number) => Place;
  /** True ends the run: a gate that must not fail has failed. */
  readonly sampled: (sample: Sample, isWarm: boolean) => boolean;
  readonly happened: (event: RunEvent) => void;
}

export interface Place {
  readonly storeDirectory: string;
  /** A file of the observer, outside the store. */
  readonly acknowledgementPath: string;
}

/** Starts the store process, watches it from outside until it ends, kills it where that is planned, and judges nothing. */
export class Observer {
  private readonly options: ObserverOptions;
  private readonly samples: Sample[] = [];
  private readonly checkpoints: CountedCheckpoint[] = [];
  private readonly events: EventLog;
  private readonly settled: Survived[] = [];
  private readonly plan: ChaosPlan;
  private process: StoreProcess;
  private prepared = deferred<Prepared>();
  private hasEnded = new AbortController();
  private life = 0;
  private survivedNow: Omit<Survived, 'adoptions'> | undefined;
  private killedAtMs: number | undefined;
  private sampling: Promise<void> = Promise.resolve();
  private answer: ((inside: InsideSample) => void) | undefined;
  private startedAtMs = 0;
  private warmupEndsAtS: number | undefined;
  private highestRssBytes: number | undefined;
  private goal: Goal = {};
  private place: Place | undefined;
  private outcome: RunOutcome | undefined;
  private totals: RunTotals | undefined;
  private latency: readonly OperationLatency[] = [];
  private telemetry: TelemetryReport | undefined;
  private refusal: Refusal | undefined;
  private interruptedBy: 'SIGINT' | 'SIGTERM' | undefined;
  private aborted = false;
  private killed = false;
  private lastProgress = { mark: -1, atMs: 0 };

  constructor(options: ObserverOptions) {
    this.options = options;
    this.events = new EventLog(options.happened);
    this.plan = new ChaosPlan(options.configuration);
    this.process = this.startProcess();
  }

  /** Throws `Refusal`. */
  async run(): Promise<Observation> {
    const { configuration, begin } = this.options;
    const prepared = await this.prepare();
    if (prepared === undefined) throw this.refusal ?? (await this.neverReady());
    this.goal = {
      ...(prepared.goalBytes === undefined ? {} : { bytes: prepared.goalBytes }),
      ...(configuration.goal.seconds === undefined ? {} : { seconds: configuration.goal.seconds }),
    };
    try {
      this.place = begin(prepared, this.process.pid);
    } catch (error) {
      this.process.kill();
      throw error;
    }
    this.startedAtMs = performance.now();
    this.process.send(this.runMessage(undefined));
    await this.sampleUntilEnd();
    let processEnd = await this.process.ended;
    while (this.killedAtMs !== undefined && this.outcome === undefined && !this.killed) {
      await this.liveOn();
      processEnd = await this.process.ended;
    }
    if (this.refusal !== undefined && this.life === 0) throw this.refusal;
    const { keyCount, rowCount } = prepared;
    return {
      pid: this.process.pid,
      keyCount,
      ...(rowCount === undefined ? {} : { rowCount }),
      samples: this.samples,
      checkpoints: this.checkpoints,
      events: this.events,
      latency: this.latency,
      warmupEndsAtS: this.warmupEndsAtS ?? this.elapsedS(),
      peakRssBytes: this.highestRssBytes,
      durationMs: performance.now() - this.startedAtMs,
      outcome: this.outcome ?? this.refusedAfterKill(),
      totals: this.totals,
      ...(this.telemetry === undefined ? {} : { telemetry: this.telemetry }),
      processEnd,
      ...(this.interruptedBy === undefined ? {} : { interruptedBy: this.interruptedBy }),
      aborted: this.aborted,
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

  private startProcess(): StoreProcess {
    return new StoreProcess(
      (message) => this.hear(message),
      (line) => this.options.progress.print(line),
    );
  }

  /** Undefined when the process ends before it is ready. */
  private prepare(): Promise<Prepared | undefined> {
    const { prepared, hasEnded } = this;
    const gone = this.process.ended.then(() => {
      hasEnded.abort();
      return undefined;
    });
    this.process.send({ type: 'prepare', configuration: this.options.configuration });
    return Promise.race([prepared.promise, gone]);
  }

  private runMessage(resume: Resume | undefined): ToStoreProcess {
    const { storeDirectory: directory, acknowledgementPath } = this.place as Place;
    return {
      type: 'run',
      directory,
      ...(this.plan.kills > 0 ? { acknowledgementPath } : {}),
      ...(resume === undefined ? {} : { resume }),
    };
  }

  /** A new process takes the store over from the one that was killed. */
  private async liveOn(): Promise<void> {
    const { acknowledgementPath } = this.place as Place;
    const last = {
      acknowledged: readAcknowledged(acknowledgementPath) ?? NOTHING_ACKNOWLEDGED,
      survives: this.options.configuration.chaos?.survives ?? 'put',
    };
    this.survivedNow = last;
    this.life++;
    this.prepared = deferred<Prepared>();
    this.hasEnded = new AbortController();
    this.answer = undefined;
    const endedInOrder = this.interruptedBy !== undefined;
    this.process = this.startProcess();
    if ((await this.prepare()) === undefined) {
      this.killedAtMs = undefined;
      return;
    }
    this.process.send(this.runMessage({ settled: this.settled, last, elapsedS: this.elapsedS() }));
    if (endedInOrder) this.process.send({ type: 'stop' });
    const killedAtMs = this.killedAtMs as number;
    this.killedAtMs = undefined;
    this.events.expectRecovery({ killedAtMs, elapsedS: (killedAtMs - this.startedAtMs) / 1000, last });
    await this.sampleUntilEnd();
  }

  private elapsedS(): number {
    return (performance.now() - this.startedAtMs) / 1000;
  }

  private kill(): void {
    this.killed = true;
    this.process.kill();
  }

  /** What refuses the store after a kill is the store. */
  private refusedAfterKill(): RunOutcome | undefined {
    return this.refusal === undefined
      ? undefined
      : { kind: 'failed', doing: 'going on after a kill', message: this.refusal.message };
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
      case 'recovered':
        if (this.survivedNow !== undefined) {
          this.settled.push({ ...this.survivedNow, adoptions: message.adoptions });
        }
        this.events.recovered(performance.now());
        break;
      case 'event':
        this.events.add({ ...message.event, elapsedS: this.elapsedS() });
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
        this.latency = message.latency;
        void this.sampleAndRelease();
    }
  }

  private countAtRest({ store, stats, recountsLeft }: Checkpoint): void {
    const descriptors = countDescriptors(this.process.pid);
    const { life } = this;
    const baseline = this.checkpoints.find((one) => one.life === life && one.store === 'closed')?.descriptors;
    const expected = store === 'closed' ? 0 : stats?.openDescriptors;
    const isAtRest =
      descriptors === undefined ||
      baseline === undefined ||
      expected === undefined ||
      descriptors.open - baseline.open === expected;
    if (!isAtRest && recountsLeft > 0) {
      this.process.send({ type: 'recount' });
      return;
    }
    this.checkpoints.push({ store, life, ...(stats === undefined ? {} : { stats }), descriptors });
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
    const beganAtMs = performance.now();
    for (let tick = 1; !signal.aborted && this.outcome === undefined; tick++) {
      this.sampling = this.sample();
      await this.sampling;
      const nextAtMs = beganAtMs + tick * this.options.sampleIntervalMs;
      await delay(Math.max(0, nextAtMs - performance.now()), undefined, { signal }).catch(() => {});
    }
  }

  private async sample(): Promise<void> {
    const elapsedS = this.elapsedS();
    const { pid } = this.process;
    const [seen, inside] = await Promise.all([viewProcess(pid), this.askInside()]);
    // Gone while we looked: half a sample says nothing.
    if (seen.rssBytes === undefined && inside === undefined) return;
    const directoryBytes = directorySizeBytes((this.place as Place).storeDirectory);
    const outside = { ...seen, ...(directoryBytes === undefined ? {} : { directoryBytes }) };
    if (inside !== undefined) this.noteProgress(inside, elapsedS);
    const rss = [this.highestRssBytes, outside.rssBytes, peakRssBytes(pid)];
    this.highestRssBytes = Math.max(...rss.map((bytes) => bytes ?? 0)) || undefined;
    const sample = { elapsedS, life: this.life, outside, inside };
    this.samples.push(sample);
    if (this.options.sampled(sample, this.warmupEndsAtS !== undefined)) this.abort();
    this.options.progress.update(sample, this.goal);
    this.killWhenStalled();
  }

  private noteProgress(inside: InsideSample, elapsedS: number): void {
    const { operations, rotates, bytesWritten } = inside.totals;
    if (rotates > (this.totals?.rotates ?? 0)) {
      this.events.add({ kind: 'rotation', elapsedS, durationMs: 0, operations });
    }
    this.totals = inside.totals;
    const share = Math.max(
      bytesWritten / (this.goal.bytes ?? Number.POSITIVE_INFINITY),
      elapsedS / (this.goal.seconds ?? Number.POSITIVE_INFINITY),
    );
    if (share >= this.options.warmupShare) this.warmupEndsAtS ??= elapsedS;
    const afterMs = this.plan.nextKillAfterMs(share, this.options.sampleIntervalMs);
    if (afterMs !== undefined) setTimeout(() => this.killOnPurpose(), afterMs);
  }

  private killOnPurpose(): void {
    if (this.outcome !== undefined || this.interruptedBy !== undefined || this.aborted) return;
    this.killedAtMs = performance.now();
    this.process.kill();
  }

  private abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.options.progress.print('a gate has failed: stopping in order');
    this.process.send({ type: 'stop' });
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

const NOTHING_ACKNOWLEDGED: Acknowledged = {
  operations: 0,
  syncedOperations: 0,
  counts: { syncs: 0, compacts: 0, reopens: 0, keysChecked: 0, rotates: 0 },
};

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
