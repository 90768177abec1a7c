import {
  type BatchOperation,
  openReader,
  openStore,
  type Store,
  StoreError,
} from '../../../src/engine/index.ts';
import { type DiskImage, EMPTY_DISK, fileSystemOf } from '../../file-systems/disk-image.ts';
import type { FaultInjector } from '../../file-systems/fault-file-system.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../file-systems/recording-file-system.ts';
import { DiskModel } from '../disk/disk-model.ts';
import type { HistoryOperation } from '../promises/history.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { checkPoisoned } from '../promises/poisoned-check.ts';
import { FaultHistory } from './fault-history.ts';

/**
 * One store in memory that goes through a scenario while a call fails. It is held to what was
 * promised at every step, and afterwards, when nothing fails any more: as it is, and after a power
 * cut.
 */

export type FaultStep =
  | { readonly kind: 'write' | 'durable'; readonly operation: HistoryOperation }
  | { readonly kind: 'batch'; readonly operations: readonly HistoryOperation[] }
  | {
      readonly kind:
        | 'sync'
        | 'rotate'
        | 'read'
        | 'scan'
        | 'compactTo'
        | 'export'
        | 'open'
        | 'close';
    };

const DIRECTORY = '/parent/store';
const COPY = '/parent/copy';
const EXPORT = '/parent/export.jsonl';
const SEGMENT_BYTES = 400;

export class FaultScenario {
  private readonly injector: FaultInjector;
  private readonly disk: RecordingFileSystem;
  private readonly first: { image: DiskImage; inodes: ReadonlyMap<string, number> };
  private readonly history = new FaultHistory();
  private store: Store | undefined;
  /** Operations whose call has returned, and those that a sync that has returned covers. */
  private returned = 0;
  private durable = 0;

  constructor(injector: FaultInjector, image = EMPTY_DISK) {
    const memory = image === EMPTY_DISK ? new MemoryFileSystem() : fileSystemOf(image);
    const inodes = new Map(
      [...image.files.keys()].map((path) => [path, memory.stat(path)?.inode as number]),
    );
    this.first = { image, inodes };
    this.disk = new RecordingFileSystem(memory);
    this.injector = injector;
  }

  /** Operations that the first image holds, all of them durable. */
  adopt(operations: readonly HistoryOperation[], durable: number): void {
    for (const operation of operations) this.history.append(operation);
    this.returned = durable;
    this.durable = durable;
  }

  /**
   * Takes the steps until one fails for good, then recovers. Throws `InvariantBroken`.
   */
  async run(steps: readonly FaultStep[]): Promise<void> {
    for (const step of steps) {
      const failure = await this.take(step);
      if (failure !== undefined && !(await this.survives(step, failure))) break;
    }
    await this.giveBack();
    this.injector.calmDown();
    await this.recover();
  }

  private async take(step: FaultStep): Promise<unknown> {
    const before = this.history.length;
    if ('operation' in step) this.history.append(step.operation);
    if ('operations' in step)
      for (const operation of step.operations) this.history.append(operation);
    try {
      await this.act(step, before);
    } catch (error) {
      if (error instanceof StoreError) return error;
      if (error instanceof InvariantBroken) throw error;
      throw new InvariantBroken('typed', `${step.kind} throws ${error}`);
    }
    this.returned = this.history.length;
    if (['open', 'sync', 'durable', 'close'].includes(step.kind)) this.durable = this.returned;
    return undefined;
  }

  private async act(step: FaultStep, before: number): Promise<void> {
    if (step.kind === 'open') {
      this.injector.noteOpening(DIRECTORY);
      this.store = await openStore(DIRECTORY, {
        fileSystem: this.injector.over(this.disk),
        segmentBytes: SEGMENT_BYTES,
      });
      await this.adoptOpened(this.store);
      return;
    }
    const store = this.store as Store;
    switch (step.kind) {
      case 'write':
      case 'durable': {
        const key = this.history.keyName(step.operation.key);
        if (step.operation.kind === 'delete') store.delete(key);
        else store.put(key, this.history.valueOf(before));
        if (step.kind === 'durable') await store.sync();
        break;
      }
      case 'batch':
        store.batch(
          step.operations.map((operation, index) => this.toBatch(operation, before + index)),
        );
        break;
      case 'sync':
        await store.sync();
        break;
      case 'rotate':
        store.rotate();
        break;
      case 'read':
        await this.readAll(store);
        break;
      case 'scan':
        for (const _ of store.scan());
        break;
      case 'compactTo':
        await store.compactTo(COPY);
        break;
      case 'export':
        await store.exportJsonl(EXPORT);
        break;
      case 'close':
        await store.close();
        if (store.poisoned !== undefined) throw store.poisoned;
        this.store = undefined;
    }
  }

  /** The reads of it may meet the fault too. */
  private async adoptOpened(store: Store): Promise<void> {
    try {
      this.adoptState(store.entries(), this.returned, 'opened');
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'READ_FAILED') throw error;
      this.adoptState(store.entries(), this.returned, 'opened');
    }
  }

  private toBatch({ key, kind }: HistoryOperation, index: number): BatchOperation {
    const name = this.history.keyName(key);
    return kind === 'put'
      ? { type: 'put', key: name, value: this.history.valueOf(index) }
      : { type: 'del', key: name };
  }

  /** Every key, both ways. */
  private async readAll(store: Store): Promise<void> {
    for (let key = 0; key < FaultHistory.keys; key++) {
      const name = this.history.keyName(key);
      const index = this.history.liveOperation(key);
      const expected = index === undefined ? undefined : this.history.valueOf(index);
      for (const found of [store.get(name), await store.getAsync(name)]) {
        if (found?.toString() !== expected)
          throw new InvariantBroken('I3', `${name} reads ${found}, and ${expected} was put last`);
      }
    }
  }

  /**
   * Can the store go on after this failure? Checks that it does, or that it is poisoned as it must
   * be.
   */
  private async survives(step: FaultStep, failure: unknown): Promise<boolean> {
    const { code } = failure as StoreError;
    const { store } = this;
    if (step.kind === 'open') {
      // It may have opened, and only reading failed.
      if (store === undefined) this.expectDescriptors(0, 'a failed opening');
      return false;
    }
    if (step.kind === 'close') {
      this.store = undefined;
      this.expectDescriptors(0, 'a failed close');
      return false;
    }
    if (store === undefined) return false;
    if (['read', 'scan', 'compactTo', 'export'].includes(step.kind)) {
      if (code === 'STORE_CORRUPT' || code === 'CRC_MISMATCH' || code === 'FRAME_MISMATCH')
        throw new InvariantBroken('I5', `${step.kind} takes a failure for damage: ${failure}`);
      if (store.poisoned === undefined) return true;
    }
    // A rotation that could not begin has written nothing, and the store goes on; of a batch, what
    // went before it is there.
    const isWrite = ['write', 'durable', 'batch', 'rotate'].includes(step.kind);
    if (isWrite && code === 'IO_FAILED' && store.poisoned === undefined) {
      this.injector.calmDown();
      this.adoptState(store.entries(), this.returned, 'after a rotation that could not begin');
      this.returned = this.history.length;
      return true;
    }
    if (store.poisoned === undefined)
      throw new InvariantBroken(
        'I9',
        `${step.kind} failed (${code}), and the store is not poisoned`,
      );
    this.injector.calmDown();
    const { writes } = this.injector;
    await checkPoisoned(store, this.history, this.returned);
    await store.getAsync(this.history.keyName(0));
    if (this.injector.writes !== writes)
      throw new InvariantBroken(
        'I9',
        `a poisoned store changed the disk ${this.injector.writes - writes} times`,
      );
    return false;
  }

  /** Closes what is still open. */
  private async giveBack(): Promise<void> {
    const { store } = this;
    if (store !== undefined) {
      try {
        await store.close();
      } catch (error) {
        if (!(error instanceof StoreError))
          throw new InvariantBroken('typed', `close throws ${error}`);
      }
      this.store = undefined;
    }
    if (this.injector.retries > 0) throw new InvariantBroken('I9', 'a failed sync was tried again');
    this.expectDescriptors(0, 'closing');
  }

  private expectDescriptors(expected: number, after: string): void {
    if (this.disk.openDescriptorCount !== expected)
      throw new InvariantBroken(
        'I10',
        `${this.disk.openDescriptorCount} descriptors are open after ${after}`,
      );
  }

  /**
   * Everything that returned is there when the store is opened again, and everything durable after
   * a power cut.
   */
  private async recover(): Promise<void> {
    await this.checkPowerCuts(this.durable);
    const store = await openStore(DIRECTORY, {
      fileSystem: this.disk,
      segmentBytes: SEGMENT_BYTES,
    });
    this.adoptState(store.entries(), this.returned, 'opened again');
    store.put(this.history.keyName(0), this.history.valueOf(this.history.length));
    this.history.append({ key: 0, kind: 'put' });
    await store.sync();
    await this.checkPowerCuts(this.history.length);
    await store.close();
    this.expectDescriptors(0, 'closing');
    await this.checkOutputs();
  }

  private adoptState(pairs: Iterable<[Uint8Array, Uint8Array]>, least: number, when: string): void {
    const kept = this.history.longestPrefix(this.history.stateOf(pairs));
    if (kept === undefined) throw new InvariantBroken('I1', `${when}, the store shows no prefix`);
    if (kept < least)
      throw new InvariantBroken(
        'I2',
        `${when}, the store shows ${kept} operations of at least ${least}`,
      );
    if (kept !== this.history.length) this.history.rollBack(kept);
  }

  /**
   * Opens what a power cut leaves now: all that is unsynced lost, all kept, each half of it kept.
   */
  private async checkPowerCuts(least: number): Promise<void> {
    const model = new DiskModel(this.first.image, (path) => this.first.inodes.get(path) as number);
    this.disk.trace.forEach((event, at) => {
      model.advance(event, at);
    });
    const half = model.pieces.length >>> 1;
    const cuts: [string, (index: number) => boolean][] = [
      ['with nothing unsynced kept', () => false],
      ['with everything unsynced kept', () => true],
      ['with the first half kept', (index) => index < half],
      ['with the second half kept', (index) => index >= half],
    ];
    for (const [which, isKept] of cuts) {
      const image = model.image((index) => (isKept(index) ? 'kept' : 'lost'));
      const fileSystem = fileSystemOf(image);
      const store = await openStore(DIRECTORY, { fileSystem, segmentBytes: SEGMENT_BYTES });
      const kept = this.history.longestPrefix(this.history.stateOf(store.entries()));
      if (kept === undefined || kept < least)
        throw new InvariantBroken(
          'I2',
          `a power cut ${which} leaves ${kept} operations of at least ${least}`,
        );
      await store.close();
    }
  }

  /** Whole or absent, and nothing unfinished beside them that a later attempt would trip over. */
  private async checkOutputs(): Promise<void> {
    const { disk } = this;
    if (disk.stat(COPY) !== undefined) {
      const copy = await openReader(COPY, { fileSystem: disk });
      if (this.history.longestPrefix(this.history.stateOf(copy.entries())) === undefined)
        throw new InvariantBroken('outputs', 'what compactTo made shows no prefix');
      await copy.close();
    }
    if (
      disk.stat(EXPORT) !== undefined &&
      !/^(?:\{.*\}\n)*$/.test(disk.readFile(EXPORT).toString())
    )
      throw new InvariantBroken('outputs', 'what exportJsonl made is there in part');
  }
}
