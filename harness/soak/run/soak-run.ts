import { AdapterError } from '../../adapter-error.ts';
import { InputError } from '../../jsonl-rows.ts';
import { printableKey } from '../../keyed-values.ts';
import { StoreCheck, type Violation } from '../../store-check.ts';
import type { MaybePromise, StoreUnderTest, StoreUnderTestStats } from '../../store-under-test.ts';
import type { Operation } from '../../workload.ts';
import { LatencyRecorder } from './latency.ts';
import type { RunTotals } from './ledger.ts';
import type { LatencyOperation } from './operation-latency.ts';
import type { Phase } from './phase.ts';
import type { Undecided } from './replay.ts';
import { restUntilCounted } from './rest.ts';
import { isNoRoom, outcomeOf, type RunOutcome, ViolationsFound } from './run-outcome.ts';
import type { SoakRunOptions } from './soak-run-options.ts';
import { WorkloadClock } from './workload-clock.ts';

/** Puts may be synchronous and endless: the process must also answer the observer. */
const TURN_EVERY_OPERATIONS = 50;
/** A paced run looks at the clock more often. */
const PACED_TURNS_PER_SECOND = 100;
/** A short run reopens so often all the same. */
const REOPENS_PER_RUN = 4;
/**
 * A store that is slow is synced and reopened all the same, where the workload syncs and reopens.
 */
const SYNC_WITHIN_MS = 3_000;
const REOPEN_WITHIN_MS = 30_000;
/** Violations that are listed; beyond, they are counted. */
const LISTED_VIOLATIONS = 20;

/**
 * One soak of one store: write and read by the workload, reopen and compact at intervals, compare
 * everything.
 */
export class SoakRun {
  readonly latency = new LatencyRecorder();
  readonly clock = new WorkloadClock();
  private readonly options: SoakRunOptions;
  private readonly totals: RunTotals;
  private readonly check: StoreCheck;
  private readonly turnEvery: number;
  private store: StoreUnderTest | undefined;
  private currentPhase: Phase = 'opening';
  /** What the run is doing, for the message when it fails. */
  private doing = 'opening the store';
  private stopRequested = false;
  private deadlineMs = Number.POSITIVE_INFINITY;
  private nextReopenBytes = 0;
  private nextReopenMs = Number.POSITIVE_INFINITY;
  private nextSyncMs = Number.POSITIVE_INFINITY;
  private rotatesBefore = 0;
  private syncedOperations = 0;
  private syncedAtMs = 0;
  /** The operation that the store refused: it may have happened or not. */
  private refused: Operation | undefined;

  constructor(options: SoakRunOptions) {
    const { values, ledger, shape } = options;
    this.options = options;
    this.totals = ledger.totals;
    this.check = new StoreCheck(values, ledger.oracle);
    this.rotatesBefore = ledger.totals.rotates;
    const { operationsPerSecond: rate = Number.POSITIVE_INFINITY } = shape;
    this.turnEvery = Math.max(
      1,
      Math.min(TURN_EVERY_OPERATIONS, Math.floor(rate / PACED_TURNS_PER_SECOND)),
    );
  }

  /** The store has a `compact()`. */
  canCompact = false;
  /** The store has a `sync()`; one without promises nothing more than its `put`. */
  canSync = false;

  get phase(): Phase {
    return this.currentPhase;
  }

  /** Ends the run in order at the next turn, without the final comparison. */
  stop(): void {
    this.stopRequested = true;
  }

  /** Undefined while the store is not open, or when it has no numbers to tell. */
  async stats(): Promise<StoreUnderTestStats | undefined> {
    // Read before waiting: the store may be reopened meanwhile.
    const before = this.rotatesBefore;
    const stats = await this.store?.stats?.();
    if (stats?.rotations !== undefined) this.totals.rotates = before + stats.rotations;
    return stats;
  }

  /**
   * Throws `AdapterError` or `InputError` for what is not the store's fault; an error of the first
   * opening is thrown as it is.
   */
  async run(): Promise<RunOutcome> {
    const { undecided } = this.options;
    // Once for nothing: what a process opens for the first store and keeps is no leak.
    if (undecided === undefined) await this.open();
    try {
      if (undecided !== undefined) await this.recover(undecided);
      await this.close();
      await this.open();
      await this.work();
      if (!this.stopRequested) await this.compareAll();
      await this.close();
      return this.stopRequested ? { kind: 'stopped' } : { kind: 'completed' };
    } catch (error) {
      const { doing } = this;
      await this.giveUp();
      if (error instanceof AdapterError || error instanceof InputError) throw error;
      const outcome = outcomeOf(error, doing);
      return outcome.kind === 'failed' && isNoRoom(outcome)
        ? await this.judgeAfterNoRoom(outcome)
        : outcome;
    } finally {
      this.currentPhase = 'closed';
    }
  }

  /** Opens the store after a kill. A failure, or a store that has forgotten, is its own fault. */
  private async recover(undecided: Undecided): Promise<void> {
    await this.open();
    this.doing = 'opening after a kill';
    const store = this.store as StoreUnderTest;
    const { adoptions, violations } = await undecided.settle(store);
    if (violations.length > 0) {
      throw new ViolationsFound(violations.length, violations.slice(0, LISTED_VIOLATIONS));
    }
    await this.compare((check) => check.everyKey(store), 'checking every key after a kill');
    await this.options.recovered(adoptions);
  }

  private async work(): Promise<void> {
    const { goalBytes = Number.POSITIVE_INFINITY, goalSeconds = Number.POSITIVE_INFINITY } =
      this.options;
    const { syncEveryOperations } = this.options.shape;
    const { totals } = this;
    this.deadlineMs = performance.now() + goalSeconds * 1000;
    this.planReopen();
    this.planSync();
    this.currentPhase = 'writing';
    this.clock.begin();
    const turn = this.clock.pacer(this.options.shape.operationsPerSecond, () => totals.operations);
    for (;;) {
      const operation = this.options.workload.next();
      if (operation === undefined) break;
      await this.apply(operation);
      if (syncEveryOperations > 0 && totals.operations % syncEveryOperations === 0)
        await this.sync();
      if (totals.operations % this.turnEvery > 0) continue;
      await turn();
      const nowMs = performance.now();
      if (this.stopRequested || nowMs >= this.deadlineMs) break;
      if (totals.bytesWritten >= goalBytes) break;
      if (nowMs >= this.nextSyncMs) {
        totals.byTime++;
        await this.sync();
      }
      if (totals.bytesWritten < this.nextReopenBytes) {
        if (nowMs < this.nextReopenMs) continue;
        totals.byTime++;
      }
      await this.reopenInTurn();
      this.planReopen();
      this.currentPhase = 'writing';
      this.clock.begin();
    }
    this.clock.end();
  }

  private async reopenInTurn(): Promise<void> {
    const { compactEveryReopens } = this.options.shape;
    this.clock.end();
    await this.sync();
    if (compactEveryReopens > 0 && this.totals.reopens % compactEveryReopens === 0)
      await this.compact();
    await this.reopen();
  }

  private async apply(operation: Operation): Promise<void> {
    const { values, ledger } = this.options;
    const { kind, keyNumber } = operation;
    const key = values.keyOf(keyNumber);
    try {
      switch (kind) {
        case 'put': {
          const value = values.valueOf(keyNumber, operation.version);
          await this.timed('put', (store) => store.put(key, value));
          break;
        }
        case 'delete':
          await this.timed('delete', (store) => store.delete(key));
          break;
        case 'read': {
          const found = await this.timed('get', (store) => store.get(key));
          const violation = this.check.judge(keyNumber, found);
          if (violation !== undefined) throw new ViolationsFound(1, [violation]);
        }
      }
    } catch (error) {
      this.doing = `${kind} of ${printableKey(key)}`;
      this.refused = operation;
      if (kind === 'put' && error instanceof RangeError) {
        const what = `${printableKey(key)} with ${values.nameOf(operation.version)}`;
        throw new InputError(`the store does not take ${what}: ${error.message}`);
      }
      throw error;
    }
    ledger.enter(operation);
    this.acknowledge();
  }

  private async timed<T>(
    operation: LatencyOperation,
    call: (store: StoreUnderTest) => MaybePromise<T>,
  ): Promise<T> {
    const startMs = performance.now();
    const answer = await call(this.store as StoreUnderTest);
    this.latency.record(operation, performance.now() - startMs);
    return answer;
  }

  private async sync(): Promise<void> {
    const sync = this.store?.sync;
    if (sync === undefined) return;
    this.doing = 'sync';
    await this.timed('sync', () => sync.call(this.store));
    this.totals.syncs++;
    this.syncedOperations = this.totals.operations;
    this.syncedAtMs = Date.now();
    this.planSync();
    this.acknowledge();
  }

  private planSync(): void {
    if (this.options.shape.syncEveryOperations > 0)
      this.nextSyncMs = performance.now() + SYNC_WITHIN_MS;
  }

  private acknowledge(): void {
    const { acknowledge } = this.options;
    if (acknowledge === undefined) return;
    const { operations, syncs, compacts, reopens, keysChecked, rotates, byTime } = this.totals;
    acknowledge({
      operations,
      syncedOperations: this.syncedOperations,
      counts: { syncs, compacts, reopens, keysChecked, rotates, byTime },
      syncedAtMs: this.syncedAtMs,
    });
  }

  /**
   * A function of what was written, so that a seed repeats the reopens too; the time decides only
   * where the store is slow.
   */
  private planReopen(): void {
    const { goalBytes = Number.POSITIVE_INFINITY, ledger, shape } = this.options;
    const { bytesWritten } = this.totals;
    const intervalBytes =
      shape.reopenEveryBytes === 0
        ? Number.POSITIVE_INFINITY
        : Math.min(Math.max(shape.reopenEveryBytes, ledger.liveBytes), goalBytes / REOPENS_PER_RUN);
    this.nextReopenBytes = bytesWritten + intervalBytes;
    if (shape.reopenEveryBytes === 0) return;
    const { goalSeconds = Number.POSITIVE_INFINITY } = this.options;
    const withinMs = Math.min(REOPEN_WITHIN_MS, (goalSeconds * 1000) / REOPENS_PER_RUN);
    this.nextReopenMs = performance.now() + withinMs;
  }

  private async compact(): Promise<void> {
    const { store } = this;
    if (store?.compact === undefined) return;
    this.currentPhase = 'compacting';
    this.doing = 'compact';
    const startMs = performance.now();
    await store.compact();
    this.totals.compacts++;
    this.options.happened('compaction', performance.now() - startMs);
    await this.compare((check) => check.everyKey(store), 'checking every key after a compaction');
  }

  private async reopen(): Promise<void> {
    this.currentPhase = 'reopening';
    const startMs = performance.now();
    await this.close();
    await this.open();
    this.totals.reopens++;
    this.options.happened('reopen', performance.now() - startMs);
    const store = this.store as StoreUnderTest;
    await this.compare((check) => check.everyKey(store), 'checking every key after a reopen');
  }

  /** The end: what a new opening finds, by key and as a listing. */
  private async compareAll(): Promise<void> {
    await this.sync();
    await this.reopen();
    const store = this.store as StoreUnderTest;
    await this.compare((check) => check.everyEntry(store), 'comparing entries() at the end');
  }

  /** Collects what is wrong up to the end, so that its extent is known. */
  private async compare(
    sweep: (check: StoreCheck) => AsyncGenerator<Violation | number>,
    doing: string,
  ): Promise<void> {
    this.currentPhase = 'checking';
    this.doing = doing;
    const before = this.totals.keysChecked;
    const violations: Violation[] = [];
    let count = 0;
    for await (const found of sweep(this.check)) {
      if (typeof found === 'number') this.totals.keysChecked = before + found;
      else if (++count <= LISTED_VIOLATIONS) violations.push(found);
      if (this.stopRequested) break;
    }
    if (count > 0) throw new ViolationsFound(count, violations);
  }

  private async open(): Promise<void> {
    this.doing = 'open';
    this.store = await this.options.open(this.options.directory);
    this.canCompact = this.store.compact !== undefined;
    this.canSync = this.store.sync !== undefined;
  }

  private async close(): Promise<void> {
    const { store } = this;
    if (store === undefined) return;
    this.doing = 'sync before close';
    await store.sync?.();
    await restUntilCounted('open', this.options.checkpoint, () => this.stats());
    this.rotatesBefore = this.totals.rotates;
    this.store = undefined;
    this.doing = 'close';
    await store.close();
    await restUntilCounted('closed', this.options.checkpoint, () => this.stats());
  }

  /**
   * A full disk is nobody's fault, but what the store had acknowledged must still be there: it is
   * opened again and compared, and only then is the run inconclusive.
   */
  private async judgeAfterNoRoom(
    before: Extract<RunOutcome, { kind: 'failed' }>,
  ): Promise<RunOutcome> {
    const { values, ledger } = this.options;
    try {
      await this.open();
      const store = this.store as StoreUnderTest;
      const { refused } = this;
      if (refused !== undefined && refused.kind !== 'read') {
        const { keyNumber } = refused;
        const found = await store.get(values.keyOf(keyNumber));
        // The refused operation may have happened: then the oracle learns of it now.
        if (this.check.judge(keyNumber, found) !== undefined) ledger.enter(refused);
      }
      await this.compare((check) => check.everyKey(store), 'checking every key after a full disk');
      return before;
    } catch (error) {
      const outcome = outcomeOf(error, this.doing);
      return outcome.kind === 'violated' || (outcome.kind === 'failed' && !isNoRoom(outcome))
        ? outcome
        : before;
    } finally {
      await this.giveUp();
    }
  }

  /**
   * Closes after a failure what can still be closed; the failure before is the one to tell.
   */
  private async giveUp(): Promise<void> {
    try {
      await this.stats();
      await this.store?.close();
    } catch {
      // A store that has failed may well fail here too.
    }
    this.store = undefined;
  }
}
