import { setImmediate as nextTurn } from 'node:timers/promises';
import { InputError } from '../jsonl-rows.ts';
import { type KeyedValues, printableKey } from '../keyed-values.ts';
import type { Oracle } from '../oracle.ts';
import { StoreCheck, type Violation } from '../store-check.ts';
import {
  AdapterError,
  type OpenStoreUnderTest,
  type StoreUnderTest,
  type StoreUnderTestStats,
} from '../store-under-test.ts';
import type { Operation, Workload } from '../workload.ts';
import type { Checkpoint } from './messages.ts';

const SYNC_EVERY_OPERATIONS = 1_000;
/** Puts may be synchronous and endless: the process must also answer the observer. A divisor of the above. */
const TURN_EVERY_OPERATIONS = 50;
/** A full reopen after so many bytes (or after the live set was written once over, if that is more). */
const REOPEN_EVERY_BYTES = 128 * 1024 * 1024;
/** A short run reopens so often all the same. */
const REOPENS_A_RUN = 4;
/** Every second reopen is preceded by a compaction. */
const COMPACT_EVERY_REOPENS = 2;
/** Violations that are listed; beyond, they are counted. */
const LISTED_VIOLATIONS = 20;

export type Phase = 'opening' | 'writing' | 'reopening' | 'compacting' | 'checking' | 'closed';

export interface RunTotals {
  /** Puts, deletes and reads of the workload. */
  operations: number;
  puts: number;
  deletes: number;
  reads: number;
  syncs: number;
  /** Segments begun after the first, as the adapter counts them. */
  rotates: number;
  compacts: number;
  reopens: number;
  /** Keys and values of the puts. */
  bytesWritten: number;
  /** Comparisons of one key outside the workload: after reopens and compactions, and at the end. */
  keysChecked: number;
}

export type RunOutcome =
  | { readonly kind: 'completed' }
  | { readonly kind: 'stopped' }
  /** What the store said is not what it was told. */
  | {
      readonly kind: 'violated';
      readonly doing: string;
      readonly count: number;
      readonly violations: readonly Violation[];
    }
  /** The store threw. `errno` names the operating-system error behind it, if there is one. */
  | { readonly kind: 'failed'; readonly doing: string; readonly message: string; readonly errno?: string };

export interface SoakRunOptions {
  readonly open: OpenStoreUnderTest;
  readonly directory: string;
  readonly values: KeyedValues;
  readonly oracle: Oracle;
  readonly workload: Workload;
  readonly goalBytes?: number;
  readonly goalSeconds?: number;
  /** Called when the store is at rest; the run goes on when it resolves. */
  readonly checkpoint: (checkpoint: Checkpoint) => Promise<void>;
}

/** One soak of one store: write and read by the workload, reopen and compact at intervals, compare everything. */
export class SoakRun {
  readonly totals: RunTotals = {
    operations: 0,
    puts: 0,
    deletes: 0,
    reads: 0,
    syncs: 0,
    rotates: 0,
    compacts: 0,
    reopens: 0,
    bytesWritten: 0,
    keysChecked: 0,
  };
  private readonly options: SoakRunOptions;
  private readonly check: StoreCheck;
  private store: StoreUnderTest | undefined;
  private currentPhase: Phase = 'opening';
  /** For the message when it fails. */
  private doing = 'opening the store';
  private stopRequested = false;
  private deadlineMs = Number.POSITIVE_INFINITY;
  private nextReopenBytes = 0;
  private rotatesBefore = 0;

  constructor(options: SoakRunOptions) {
    this.options = options;
    this.check = new StoreCheck(options.values, options.oracle);
  }

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
   * Throws `AdapterError` or `InputError` for what is not the store's fault; an error of the first opening is thrown
   * as it is.
   */
  async run(): Promise<RunOutcome> {
    // Once for nothing: what a process opens for the first store and keeps is no leak.
    await this.open();
    try {
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
      if (error instanceof InvariantBroken) {
        const { count, violations } = error;
        return { kind: 'violated', doing, count, violations };
      }
      const errno = errnoBehind(error);
      return {
        kind: 'failed',
        doing,
        message: error instanceof Error ? error.message : String(error),
        ...(errno === undefined ? {} : { errno }),
      };
    } finally {
      this.currentPhase = 'closed';
    }
  }

  private async work(): Promise<void> {
    const { goalBytes = Number.POSITIVE_INFINITY, goalSeconds = Number.POSITIVE_INFINITY } = this.options;
    this.currentPhase = 'writing';
    this.deadlineMs = performance.now() + goalSeconds * 1000;
    this.planReopen();
    for (;;) {
      const operation = this.options.workload.next();
      if (operation === undefined) break;
      await this.apply(operation);
      if (this.totals.operations % TURN_EVERY_OPERATIONS > 0) continue;
      await nextTurn();
      if (this.stopRequested || performance.now() >= this.deadlineMs) return;
      if (this.totals.operations % SYNC_EVERY_OPERATIONS > 0) continue;
      await this.sync();
      if (this.totals.bytesWritten >= goalBytes) return;
      if (this.totals.bytesWritten < this.nextReopenBytes) continue;
      if (this.totals.reopens % COMPACT_EVERY_REOPENS === 0) await this.compact();
      await this.reopen();
      this.planReopen();
      this.currentPhase = 'writing';
    }
  }

  private async apply(operation: Operation): Promise<void> {
    const { values, oracle } = this.options;
    const store = this.store as StoreUnderTest;
    const { kind, keyNumber } = operation;
    const key = values.keyOf(keyNumber);
    this.totals.operations++;
    try {
      switch (kind) {
        case 'put': {
          const value = values.valueOf(keyNumber, operation.version);
          const sizeBytes = key.length + value.length;
          await store.put(key, value);
          oracle.put(keyNumber, operation.version);
          this.totals.puts++;
          this.totals.bytesWritten += sizeBytes;
          return;
        }
        case 'delete':
          await store.delete(key);
          oracle.delete(keyNumber);
          this.totals.deletes++;
          return;
        case 'read': {
          const violation = this.check.judge(keyNumber, await store.get(key));
          if (violation !== undefined) throw new InvariantBroken(1, [violation]);
          this.totals.reads++;
        }
      }
    } catch (error) {
      this.doing = `${kind} of ${printableKey(key)}`;
      if (kind === 'put' && error instanceof RangeError) {
        const what = `${printableKey(key)} with ${values.nameOf(operation.version)}`;
        throw new InputError(`the store does not take ${what}: ${error.message}`);
      }
      throw error;
    }
  }

  private async sync(): Promise<void> {
    this.doing = 'sync';
    await this.store?.sync();
    this.totals.syncs++;
  }

  /** A pure function of what was written, so that a seed repeats the reopens too. */
  private planReopen(): void {
    const { goalBytes = Number.POSITIVE_INFINITY, oracle } = this.options;
    const { bytesWritten, puts } = this.totals;
    const liveBytes = puts === 0 ? 0 : (bytesWritten / puts) * oracle.liveCount;
    const intervalBytes = Math.min(Math.max(REOPEN_EVERY_BYTES, liveBytes), goalBytes / REOPENS_A_RUN);
    this.nextReopenBytes = bytesWritten + intervalBytes;
  }

  private async compact(): Promise<void> {
    const { store } = this;
    if (store?.compact === undefined) return;
    this.currentPhase = 'compacting';
    this.doing = 'compact';
    await store.compact();
    this.totals.compacts++;
    await this.compare((check) => check.everyKey(store), 'checking every key after a compaction');
  }

  private async reopen(): Promise<void> {
    this.currentPhase = 'reopening';
    await this.close();
    await this.open();
    this.totals.reopens++;
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
    if (count > 0) throw new InvariantBroken(count, violations);
  }

  private async open(): Promise<void> {
    this.doing = 'open';
    this.store = await this.options.open(this.options.directory);
  }

  private async close(): Promise<void> {
    const { store } = this;
    if (store === undefined) return;
    this.doing = 'sync before close';
    await store.sync();
    const stats = await this.stats();
    await this.options.checkpoint({ store: 'open', ...(stats === undefined ? {} : { stats }) });
    this.rotatesBefore = this.totals.rotates;
    this.store = undefined;
    this.doing = 'close';
    await store.close();
    await this.options.checkpoint({ store: 'closed' });
  }

  /** After a failure: what can still be closed is closed, and the failure before is the one to tell. */
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

class InvariantBroken extends Error {
  readonly count: number;
  readonly violations: readonly Violation[];

  constructor(count: number, violations: readonly Violation[]) {
    super('the store does not hold what it was told');
    this.count = count;
    this.violations = violations;
  }
}

/** The operating-system error at the root of a chain of causes. */
function errnoBehind(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}
