import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type BatchOperation,
  openStore,
  type Store,
  StoreError,
} from '../../../src/engine/index.ts';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../file-systems/recording-file-system.ts';
import type { Expectation, Output } from '../promises/expectation.ts';
import type { HistoryOperation } from '../promises/history.ts';
import { brokenBy, InvariantBroken } from '../promises/invariants.ts';
import { checkPoisoned } from '../promises/poisoned-check.ts';
import { CrashHistory } from './crash-history.ts';
import type { ImmediateStep, Step } from './crash-steps.ts';
import type { StateEvent } from './state-event.ts';

/** Both levels have to be made. */
export const STORE_DIRECTORY = '/data/store';
/** Small enough that a short workload rotates many times. */
export const SEGMENT_BYTES = 400;

export interface RecordedWorkload {
  readonly trace: readonly StateEvent[];
  readonly history: CrashHistory;
  /** What went wrong while it ran, which ended it, and the disk as it was then. */
  readonly broken: { readonly by: InvariantBroken; readonly image: DiskImage } | undefined;
}

/**
 * Takes the steps on a store in memory and records what it does to the disk. Processes die and
 * calls fail on the way; what must hold in spite of that is checked at once.
 */
export async function recordWorkload(steps: readonly Step[]): Promise<RecordedWorkload> {
  const workload = new Workload();
  const { trace, history } = workload;
  try {
    for (const step of steps) await workload.take(step);
    await workload.end();
  } catch (error) {
    return { trace, history, broken: { by: brokenBy(error), image: workload.image() } };
  }
  return { trace, history, broken: undefined };
}

/**
 * Openings that may fail in a row: one at a time is told to die or to fail, and a write-back or two
 * may have failed.
 */
const MOST_OPENINGS = 10;

class Workload {
  readonly trace: StateEvent[] = [];
  readonly history = new CrashHistory();
  private fileSystem = new RecordingFileSystem(new MemoryFileSystem(), this.trace);
  private store: Store | undefined;
  /** Failures that calls had been told of when the store was opened. */
  private failuresBefore = 0;
  /** Operations that have returned: the death of a process does not undo them. */
  private returned = 0;
  private outputs: ReadonlyMap<string, Output> = new Map();

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'makeDirectory':
        this.makeDirectory();
        break;
      case 'die':
        this.die();
        break;
      case 'dieIn':
        this.fileSystem.dieIn(step.calls);
        break;
      case 'failIn':
        this.fileSystem.failIn(step.calls);
        break;
      case 'failWriteback':
        this.fileSystem.failWriteback(step.pick);
        break;
      default:
        await this.use(step, this.store ?? (await this.open()));
    }
  }

  image(): DiskImage {
    return this.fileSystem.image();
  }

  /**
   * The parent has long been there; the store's own directory is new, and nobody has synced that.
   */
  private makeDirectory(): void {
    const parent = dirname(STORE_DIRECTORY);
    this.fileSystem.makeDirectory(parent);
    this.fileSystem.directorySync(dirname(parent));
    this.fileSystem.makeDirectory(STORE_DIRECTORY);
  }

  /** An orderly close, and one more opening that must find it. */
  async end(): Promise<void> {
    this.fileSystem.calmDown();
    await this.close(this.store ?? (await this.open()));
    await this.close(await this.open());
  }

  private async use(step: Step, store: Store): Promise<void> {
    try {
      await this.perform(step, store);
    } catch (error) {
      if (error instanceof InvariantBroken) throw error;
      if (!this.fileSystem.isDead) await this.giveUp(store, step, error);
    }
    // It may have died in a sync that runs beside the steps.
    if (this.fileSystem.isDead) this.die();
  }

  private async perform(step: Step, store: Store): Promise<void> {
    switch (step.kind) {
      case 'write':
      case 'batch':
      case 'read':
      case 'beginSync':
      case 'beginCompact':
      case 'rotate':
        return this.performNow(step, store);
      case 'burst':
        for (const one of step.steps) {
          if (one.kind === 'tick') for (let count = 0; count < one.count; count++) await undefined;
          else this.performNow(one, store);
        }
        return;
      case 'sync':
        return this.sync(store);
      case 'turn':
        return;
      case 'pause':
        for (let turn = 0; turn < step.turns; turn++) await nextTurn();
        return;
      case 'reopen':
        return this.close(store);
      case 'compact':
        await store.compact({ deadRatio: step.deadRatio });
        return this.checkUnchanged(store);
      case 'verify': {
        const { damages } = await store.verify();
        if (damages.length === 0 || this.fileSystem.isDead) return;
        throw new InvariantBroken(
          'I5',
          `a scrub finds damage where there is none: ${JSON.stringify(damages)}`,
        );
      }
      case 'backup':
        return this.output(
          'backup',
          { state: this.history.state(), mayBeUnfinished: true },
          (path) => store.backup(path),
        );
      case 'compactTo':
        return this.output('copy', { state: this.history.state() }, (path) =>
          store.compactTo(path),
        );
      case 'exportJsonl':
        return this.output('export', { text: this.history.exportedText() }, (path) =>
          store.exportJsonl(path),
        );
    }
  }

  private checkUnchanged(store: Store): void {
    const [found, expected] = [this.history.stateOf(store.entries()), this.history.state()];
    if (found !== expected)
      throw new InvariantBroken('I12', `a merge made ${found} of ${expected}`);
  }

  private performNow(step: ImmediateStep, store: Store): void {
    switch (step.kind) {
      case 'write':
        this.write(store, [step.operation], () => this.writeOne(store, step.operation));
        break;
      case 'batch':
        this.write(store, step.operations, () => store.batch(this.batchOf(step.operations)));
        break;
      case 'read':
        this.read(store, step.key);
        break;
      case 'beginSync':
        // Its failure poisons the writer, and whoever writes next hears of it.
        this.sync(store).catch(() => {});
        break;
      case 'beginCompact':
        // What keeps it from starting is heard here; a failure on the way only matters if it
        // poisons.
        store.compact({ deadRatio: step.deadRatio }).catch(() => {});
        break;
      case 'rotate':
        store.rotate();
    }
  }

  /** Opens, again and again while processes die in it or calls fail. */
  private async open(): Promise<Store> {
    for (let attempt = 0; attempt < MOST_OPENINGS; attempt++) {
      const { fileSystem } = this;
      this.failuresBefore = fileSystem.failures;
      try {
        this.store = await openStore(STORE_DIRECTORY, { fileSystem, segmentBytes: SEGMENT_BYTES });
      } catch (error) {
        if (fileSystem.isDead) this.fileSystem = fileSystem.afterProcessDeath();
        else this.checkFailure('opening', error);
        continue;
      }
      this.checkOpened(this.store);
      return this.store;
    }
    throw new InvariantBroken('I1', `the store did not open in ${MOST_OPENINGS} attempts`);
  }

  /**
   * A process that was killed has lost nothing that had returned; what an opening keeps, it makes
   * durable.
   */
  private checkOpened(store: Store): void {
    const state = this.history.stateOf(store.entries());
    const kept = this.history.longestPrefix(state);
    if (kept === undefined)
      throw new InvariantBroken('I1', `the state ${state} is the result of no prefix`);
    if (kept < this.returned) {
      throw new InvariantBroken(
        'I2',
        `after the death of a process the state of ${kept} operations, although ${this.returned} had returned`,
      );
    }
    if (kept < this.history.length) this.history.rollBack(kept);
    this.returned = this.history.length;
    const { segmentId, offset, nextTxid } = store.end;
    this.expect({
      acknowledged: this.returned,
      begun: this.returned,
      nextTxid,
      mark: { segmentId, offset },
    });
  }

  private die(): void {
    this.fileSystem = this.fileSystem.afterProcessDeath();
    this.store = undefined;
  }

  private async close(store: Store): Promise<void> {
    const { segmentId, offset } = store.end;
    this.store = undefined;
    try {
      await store.close();
      // A poisoned store is only given back.
      if (store.poisoned === undefined && !this.fileSystem.isDead) {
        this.expect({
          acknowledged: this.history.length,
          mark: { segmentId, offset },
          closed: true,
        });
      }
    } catch (error) {
      if (!this.fileSystem.isDead) this.checkFailure('closing', error);
    }
    if (this.fileSystem.isDead) this.die();
    else this.checkDescriptors('closing');
  }

  private async giveUp(store: Store, step: Step, error: unknown): Promise<void> {
    if (store.poisoned === undefined) {
      // What is written elsewhere may fail for itself.
      const mayFailAlone = ['compactTo', 'compact', 'exportJsonl', 'verify', 'backup'].includes(
        step.kind,
      );
      if (mayFailAlone && this.fileSystem.failures > this.failuresBefore) return;
      throw new InvariantBroken(
        'I9',
        `${step.kind} threw '${error}', and the store is not poisoned`,
      );
    }
    await checkPoisoned(store, this.history, this.returned);
    await this.close(store);
  }

  private checkFailure(what: string, error: unknown): void {
    if (!(error instanceof StoreError)) throw new InvariantBroken('I9', `${what} threw '${error}'`);
    if (this.fileSystem.failures === this.failuresBefore)
      throw new InvariantBroken('I1', `${what} failed although no call had: ${error.message}`);
    this.checkDescriptors(`${what} in vain`);
  }

  private checkDescriptors(after: string): void {
    const count = this.fileSystem.openDescriptorCount;
    if (count > 0) throw new InvariantBroken('I10', `${count} descriptors are open after ${after}`);
  }

  private write(store: Store, operations: readonly HistoryOperation[], act: () => void): void {
    if (store.poisoned === undefined)
      this.expect({ begun: this.history.length + operations.length });
    try {
      act();
    } catch (error) {
      // Refused, so that none of it may ever be seen; anything else may have happened in part.
      if ((error as { code?: unknown }).code !== 'WRITER_POISONED') this.append(operations);
      throw error;
    }
    this.append(operations);
    this.returned = this.history.length;
    this.expect({ nextTxid: store.end.nextTxid });
  }

  private append(operations: readonly HistoryOperation[]): void {
    for (const operation of operations) this.history.append(operation);
  }

  private writeOne(store: Store, { key, kind }: HistoryOperation): void {
    const name = this.history.keyName(key);
    if (kind === 'put') store.put(name, this.history.valueOf(this.history.length));
    else store.delete(name);
  }

  private batchOf(operations: readonly HistoryOperation[]): BatchOperation[] {
    return operations.map(({ key, kind }, index) => {
      const name = this.history.keyName(key);
      if (kind === 'delete') return { type: 'del', key: name };
      return { type: 'put', key: name, value: this.history.valueOf(this.history.length + index) };
    });
  }

  private read(store: Store, key: number): void {
    const name = this.history.keyName(key);
    const operation = this.history.liveOperation(key);
    const expected = operation === undefined ? undefined : this.history.valueOf(operation);
    let found: string | undefined;
    try {
      found = store.get(name)?.toString();
    } catch (error) {
      // A merge that runs beside the steps may have met the death of the process.
      if (this.fileSystem.isDead) throw error;
      throw new InvariantBroken('I3', `${name} cannot be read: ${error}`);
    }
    if (found !== expected)
      throw new InvariantBroken('I3', `${name} has '${found}', and not '${expected}'`);
  }

  private async sync(store: Store): Promise<void> {
    const acknowledged = this.history.length;
    // A sync that covers a rotation syncs the mark as well.
    const mark = { segmentId: store.end.segmentId, offset: 0 };
    await store.sync();
    this.expect({ acknowledged, mark });
  }

  private async output(
    name: string,
    holds: Output['holds'],
    make: (path: string) => Promise<unknown>,
  ): Promise<void> {
    const path = `/data/${name}-${this.outputs.size}`;
    this.expectOutput(path, { holds, isComplete: false });
    await make(path);
    this.expectOutput(path, { holds, isComplete: true });
  }

  private expectOutput(path: string, output: Output): void {
    this.outputs = new Map(this.outputs).set(path, output);
    this.expect({ outputs: this.outputs });
  }

  private expect(more: Partial<Expectation>): void {
    this.trace.push({ kind: 'expect', more });
  }
}
