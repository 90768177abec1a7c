import { setTimeout as delay } from 'node:timers/promises';
import { ExitCode } from '../exit-code.ts';
import { ChaosPlan } from './chaos-plan.ts';
import type { CountedCheckpoint } from './gates/gates.ts';
import type { ObserverOptions, Place } from './observer-options.ts';
import type { Goal } from './progress.ts';
import { Refusal } from './refusal.ts';
import { EventLog } from './result/event-log.ts';
import type { Observation } from './result/observation.ts';
import { NOTHING_ACKNOWLEDGED, readAcknowledged } from './run/acknowledgements.ts';
import { RunLatency } from './run/latency.ts';
import type { RunTotals } from './run/ledger.ts';
import type {
  Checkpoint,
  FromStoreProcess,
  InsideSample,
  Resume,
  ToStoreProcess,
} from './run/messages.ts';
import type { Survived } from './run/replay.ts';
import type { RunOutcome } from './run/run-outcome.ts';
import { StoreProcess } from './run/store-process.ts';
import type { TelemetryReport } from './run/store-telemetry.ts';
import { isAtRest } from './sampling/at-rest.ts';
import { directorySizeBytes } from './sampling/directory-size.ts';
import { countDescriptors, peakRssBytes, viewProcess } from './sampling/process-view.ts';
import type { Sample } from './sampling/sample.ts';
import { StallWatch } from './sampling/stall-watch.ts';

/**
 * Starts the store process, watches it from outside until it ends, kills it where that is planned,
 * and judges nothing.
 */
export class Observer {
  private readonly options: ObserverOptions;
  private readonly samples: Sample[] = [];
  private readonly checkpoints: CountedCheckpoint[] = [];
  private readonly events: EventLog;
  private readonly settled: Survived[] = [];
  private readonly plan: ChaosPlan;
  private readonly latency = new RunLatency();
  private readonly stallWatch = new StallWatch();
  private storeProcess: StoreProcess;
  private survivedNow: Omit<Survived, 'adoptions'> | undefined;
  private killedAt: { readonly monotonicMs: number; readonly clockMs: number } | undefined;
  /** A kill that is due in a moment: there is never more than one. */
  private pendingKill: NodeJS.Timeout | undefined;
  /** The store stands in the present process, so that killing it says something. */
  private isStanding = false;
  private killsMade = 0;
  private sampling: Promise<void> = Promise.resolve();
  private startedAtMs = 0;
  private warmupEndsAtS: number | undefined;
  private highestRssBytes: number | undefined;
  private goal: Goal = {};
  private place: Place | undefined;
  private outcome: RunOutcome | undefined;
  private totals: RunTotals | undefined;
  private telemetry: TelemetryReport | undefined;
  private refusal: Refusal | undefined;
  private interruptedBy: 'SIGINT' | 'SIGTERM' | undefined;
  private aborted = false;
  private killed = false;
  private canCompact = false;
  private canSync = false;

  constructor(options: ObserverOptions) {
    this.options = options;
    this.events = new EventLog(options.happened);
    this.plan = new ChaosPlan(options.configuration);
    this.storeProcess = this.begin(0);
  }

  /** Throws `Refusal`. */
  async run(): Promise<Observation> {
    const { configuration, begin } = this.options;
    const prepared = await this.storeProcess.prepare(configuration);
    if (prepared === undefined) throw this.refusal ?? (await this.neverReady());
    this.goal = {
      ...(prepared.goalBytes === undefined ? {} : { bytes: prepared.goalBytes }),
      ...(configuration.goal.seconds === undefined ? {} : { seconds: configuration.goal.seconds }),
    };
    try {
      this.place = begin(prepared, this.storeProcess.pid);
    } catch (error) {
      this.storeProcess.kill();
      throw error;
    }
    this.startedAtMs = performance.now();
    this.storeProcess.send(this.runMessage(undefined));
    await this.sampleUntilEnd();
    let processEnd = await this.storeProcess.ended;
    while (this.killedAt !== undefined && this.outcome === undefined && !this.killed) {
      await this.goOnAfterKill();
      processEnd = await this.storeProcess.ended;
    }
    if (this.refusal !== undefined && this.storeProcess.number === 0) throw this.refusal;
    clearTimeout(this.pendingKill);
    const failedKill = this.events.end(performance.now());
    const { keyCount, rowCount } = prepared;
    return {
      pid: this.storeProcess.pid,
      keyCount,
      ...(rowCount === undefined ? {} : { rowCount }),
      samples: this.samples,
      checkpoints: this.checkpoints,
      events: this.events,
      latency: this.latency.describe(),
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
      kills: { asked: this.plan.kills, made: this.killsMade },
      ...(failedKill === undefined ? {} : { failedKill }),
      canCompact: this.canCompact,
      canSync: this.canSync,
    };
  }

  /** The first time the run ends in order; the second time the store process is killed. */
  interrupt(signal: 'SIGINT' | 'SIGTERM'): void {
    if (this.interruptedBy === undefined && this.startedAtMs > 0) {
      this.interruptedBy = signal;
      this.options.progress.print('stopping in order; once more to kill the store process');
      this.storeProcess.send({ type: 'stop' });
      return;
    }
    this.interruptedBy ??= signal;
    this.kill();
  }

  private begin(number: number): StoreProcess {
    return new StoreProcess(
      number,
      (message) => this.onMessage(message),
      (line) => this.options.progress.print(line),
    );
  }

  private runMessage(resume: Resume | undefined): ToStoreProcess {
    const { storeDirectory: directory, acknowledgementPath, temporaryPath } = this.place as Place;
    return {
      type: 'run',
      directory,
      ...(this.plan.kills > 0 ? { acknowledgementPath } : {}),
      ...(temporaryPath === undefined ? {} : { temporaryPath }),
      ...(resume === undefined ? {} : { resume }),
    };
  }

  /** A new process takes the store over from the one that was killed. */
  private async goOnAfterKill(): Promise<void> {
    const { acknowledgementPath } = this.place as Place;
    const last = {
      acknowledged: readAcknowledged(acknowledgementPath) ?? NOTHING_ACKNOWLEDGED,
      survives: this.options.configuration.chaos?.survives ?? 'put',
    };
    this.survivedNow = last;
    const endedInOrder = this.interruptedBy !== undefined;
    const { monotonicMs, clockMs } = this.killedAt as NonNullable<Observer['killedAt']>;
    this.killedAt = undefined;
    const { operations, syncedOperations, syncedAtMs } = last.acknowledged;
    this.events.expectRecovery({
      killedAtMs: monotonicMs,
      elapsedS: (monotonicMs - this.startedAtMs) / 1000,
      told: {
        number: this.killsMade,
        asked: this.plan.kills,
        acknowledgedOperations: operations,
        syncedOperations,
        sinceSyncMs: syncedAtMs === 0 ? null : Math.max(0, clockMs - syncedAtMs),
        survives: last.survives,
      },
    });
    this.isStanding = false;
    this.storeProcess = this.begin(this.storeProcess.number + 1);
    if ((await this.storeProcess.prepare(this.options.configuration)) === undefined) return;
    this.storeProcess.send(
      this.runMessage({ settled: this.settled, last, elapsedS: this.elapsedS() }),
    );
    if (endedInOrder) this.storeProcess.send({ type: 'stop' });
    await this.sampleUntilEnd();
  }

  private elapsedS(): number {
    return (performance.now() - this.startedAtMs) / 1000;
  }

  private kill(): void {
    this.killed = true;
    this.storeProcess.kill();
  }

  /** What refuses the store after a kill is the store. */
  private refusedAfterKill(): RunOutcome | undefined {
    return this.refusal === undefined
      ? undefined
      : { kind: 'failed', doing: 'going on after a kill', message: this.refusal.message };
  }

  private onMessage(message: FromStoreProcess): void {
    switch (message.type) {
      case 'refused':
        this.refusal = new Refusal(message.reason);
        break;
      case 'sampled':
        this.latency.add(message.durations);
        break;
      case 'recovered':
        if (this.survivedNow !== undefined) {
          this.settled.push({ ...this.survivedNow, adoptions: message.adoptions });
        }
        this.events.recovered(performance.now());
        this.isStanding = true;
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
        this.canCompact = message.canCompact;
        this.canSync = message.canSync;
        this.latency.add(message.durations);
        void this.sampleAndRelease();
    }
  }

  private countAtRest({ store, stats, recountsLeft }: Checkpoint): void {
    const descriptors = countDescriptors(this.storeProcess.pid);
    const life = this.storeProcess.number;
    const baseline = this.checkpoints.find(
      (one) => one.life === life && one.store === 'closed',
    )?.descriptors;
    const expected = store === 'closed' ? 0 : stats?.openDescriptors;
    if (!isAtRest(descriptors, baseline, expected) && recountsLeft > 0) {
      this.storeProcess.send({ type: 'recount' });
      return;
    }
    this.checkpoints.push({ store, life, ...(stats === undefined ? {} : { stats }), descriptors });
    this.storeProcess.send({ type: 'continue' });
  }

  /** The process waits for one last look at it. */
  private async sampleAndRelease(): Promise<void> {
    await this.sampling;
    await this.sample();
    this.storeProcess.send({ type: 'continue' });
  }

  private async sampleUntilEnd(): Promise<void> {
    const { signal } = this.storeProcess;
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
    const { storeProcess } = this;
    const { pid } = storeProcess;
    const [seen, inside] = await Promise.all([
      viewProcess(pid),
      storeProcess.askInside(this.options.sampleIntervalMs),
    ]);
    // Gone while we looked: half a sample says nothing.
    if (seen.rssBytes === undefined && inside === undefined) return;
    const directoryBytes = directorySizeBytes((this.place as Place).storeDirectory);
    const outside = { ...seen, ...(directoryBytes === undefined ? {} : { directoryBytes }) };
    if (inside !== undefined) this.noteProgress(inside, elapsedS);
    const rss = [this.highestRssBytes, outside.rssBytes, peakRssBytes(pid)];
    this.highestRssBytes = Math.max(...rss.map((bytes) => bytes ?? 0)) || undefined;
    const sample = { elapsedS, life: storeProcess.number, outside, inside };
    this.samples.push(sample);
    if (this.options.sampled(sample, this.warmupEndsAtS !== undefined)) this.abort();
    this.options.progress.update(sample, this.goal);
    if (this.stallWatch.isStalled(this.totals)) this.kill();
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
    if (inside.phase === 'writing' && this.storeProcess.number === 0) this.isStanding = true;
    // A process that is still loading, or recovering, has promised nothing yet.
    if (this.pendingKill !== undefined || !this.isStanding) return;
    const afterMs = this.plan.nextKillAfterMs(share, this.options.sampleIntervalMs);
    if (afterMs === undefined) return;
    const { storeProcess } = this;
    this.pendingKill = setTimeout(() => {
      this.pendingKill = undefined;
      if (storeProcess === this.storeProcess) this.killOnPurpose();
    }, afterMs);
  }

  private killOnPurpose(): void {
    if (this.outcome !== undefined || this.interruptedBy !== undefined || this.aborted) return;
    this.killedAt = { monotonicMs: performance.now(), clockMs: Date.now() };
    this.killsMade++;
    this.storeProcess.kill();
  }

  private abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.options.progress.print('a gate has failed: stopping in order');
    this.storeProcess.send({ type: 'stop' });
  }

  private async neverReady(): Promise<Error> {
    if (this.interruptedBy !== undefined) {
      const exitCode =
        this.interruptedBy === 'SIGTERM' ? ExitCode.terminated : ExitCode.interrupted;
      return new Refusal('interrupted before the run began', exitCode);
    }
    const { code, signal, lastWords } = await this.storeProcess.ended;
    const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
    return new Refusal([`the store process ${how} before the run began`, ...lastWords].join('\n'));
  }
}
