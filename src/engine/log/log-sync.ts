import { SLOT_COUNT } from '../format/slot-file.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { DurableMarkWriter } from '../lock/durable-mark.ts';
import type { LogHoldings } from '../lock/log-holdings.ts';
import type { WriterLock } from '../lock/writer-lock.ts';
import type { SegmentWriter } from '../segment/segment-writer.ts';
import { GroupCommit } from './group-commit.ts';

/** A place in the log, and the txid that the record there has or will have. */
export interface LogPosition {
  readonly segmentId: number;
  readonly offset: number;
  readonly nextTxid: number;
}

interface SealedSegment {
  readonly writer: SegmentWriter;
  /** Where the log went on in the next segment. */
  readonly end: LogPosition;
  durable: boolean;
}

export interface LogSyncOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly mark: DurableMarkWriter;
  /** Of the sealed segments; the mark asks it. */
  readonly holdings: LogHoldings;
  readonly lock: WriterLock;
  readonly latch: PoisonLatch;
  readonly probe: ProbeSet | undefined;
  /** The log's present end. */
  readonly end: () => LogPosition;
  /** The segment being appended to. */
  readonly active: () => SegmentWriter;
  readonly start: LogPosition;
  /**
   * Told of a segment once it, its name, the name of the next one and the mark behind it are
   * durable.
   */
  readonly onSealed: (segmentId: number, sizeBytes: number) => void;
}

/**
 * Makes the log durable, in log order, and keeps the durable mark behind it. A sync of the log is:
 * the sealed segments that are not durable yet, oldest first; the active one; the directory if a
 * segment was created; then the mark. Only after all of it is anybody told.
 *
 * Sealing is the same sync, asked for by a rotation. It runs in the thread pool. A writer that has
 * to wait for it (see `waitForSealed`, `syncNow`) blocks on the other descriptor of the segment.
 */
export class LogSync {
  private readonly options: LogSyncOptions;
  private readonly commits: GroupCommit;
  private sealed: SealedSegment[] = [];
  /** Segments of the commit that is running in the thread pool: not to be closed under it. */
  private inFlight: ReadonlySet<SegmentWriter> = new Set();
  private directoryChanges = 0;
  private directoryChangesSynced = 0;
  private position: LogPosition;
  private lastSyncMs: number | undefined;

  constructor(options: LogSyncOptions) {
    this.options = options;
    this.position = options.start;
    this.commits = new GroupCommit((waiters) => this.commit(waiters));
  }

  /** Everything before this position is on stable storage. */
  get durable(): LogPosition {
    return this.position;
  }

  get waiterCount(): number {
    return this.commits.waiterCount;
  }

  /** Sealed segments whose descriptors are still open. */
  get sealingCount(): number {
    return this.sealed.length;
  }

  /** Wall-clock milliseconds of the last completed sync. */
  get lastSyncedAtMs(): number | undefined {
    return this.lastSyncMs;
  }

  /** Settles when everything appended before this call is durable. */
  sync(): Promise<void> {
    return this.commits.join();
  }

  /** Takes over a segment that the log has rotated away from, and starts to seal it. */
  seal(writer: SegmentWriter, end: LogPosition): void {
    this.sealed.push({ writer, end, durable: false });
    const { segmentId, sizeBytes } = writer;
    this.options.holdings.add({ segmentId, sizeBytes, mergedDigest: undefined });
    this.directoryChanges++;
    // A failure poisons the writer; there is nobody else to tell.
    this.commits.join().catch(() => {});
  }

  /**
   * Called before a rotation: at most one sealed segment may be waiting for its sync, and the
   * directory entry of the active one must be durable. Recovery relies on it: a segment with bytes
   * two places further proves this one synced.
   */
  waitForSealed(): void {
    // A sealed segment stays in the list until the mark that follows its sync is durable, too.
    if (this.sealed.length === 0 && !this.directoryIsBehind) return;
    this.block('rotation', () => {
      this.syncSealed();
      const last = this.sealed.at(-1);
      if (last !== undefined) this.advance(last.end);
      this.options.mark.sync();
    });
  }

  /** Blocks until everything appended so far is durable. */
  syncNow(): void {
    this.block('unsynced-records', () => {
      const end = this.options.end();
      const sealing = this.sealed.length > 0;
      this.syncSealed();
      this.options.fileSystem.dataSync(this.options.active().appendDescriptor);
      this.advance(end);
      if (sealing) this.options.mark.sync();
    });
  }

  /** A sync, after which both slots of the mark name the same position, or a later one. */
  async settle(): Promise<void> {
    await this.commits.join();
    const { mark, latch } = this.options;
    try {
      for (let slot = 0; slot < SLOT_COUNT; slot++) {
        latch.check();
        const { segmentId, offset, nextTxid } = this.position;
        mark.write(segmentId, offset, nextTxid, false);
        await mark.syncAsync();
      }
      latch.check();
    } catch (error) {
      throw error instanceof StoreError
        ? error
        : latch.close('SYNC_FAILED', 'writing the durable mark', error);
    }
  }

  /** The last sync of an orderly close, with the mark that says so. Never by a poisoned writer. */
  async finish(): Promise<void> {
    await this.commits.join();
    const { mark, latch } = this.options;
    latch.check();
    this.checkLock();
    const { segmentId, offset, nextTxid } = this.options.end();
    try {
      mark.write(segmentId, offset, nextTxid, true);
      await mark.syncAsync();
    } catch (error) {
      throw latch.close('SYNC_FAILED', 'writing the durable mark', error);
    }
  }

  /** Resolves when no sync is running, whatever its outcome. */
  async idle(): Promise<void> {
    await this.commits.join().catch(() => {});
  }

  closeDescriptors(): void {
    for (const { writer } of this.sealed) writer.close();
    this.sealed = [];
  }

  private get directoryIsBehind(): boolean {
    return this.directoryChangesSynced < this.directoryChanges;
  }

  private async commit(waiters: number): Promise<void> {
    const { fileSystem, directory, latch, mark, probe } = this.options;
    latch.check();
    const end = this.options.end();
    const sealed = [...this.sealed];
    if (sealed.length === 0 && samePosition(end, this.position)) {
      this.checkLock();
      return;
    }
    const active = this.options.active();
    const directoryChanges = this.directoryChanges;
    const unsyncedBytes =
      end.offset - (end.segmentId === this.position.segmentId ? this.position.offset : 0);
    const operation = probe?.begin('sync') ?? 0;
    const startNs = probe?.synced === undefined ? 0 : nowNs();
    let failure: StoreError | undefined;
    this.inFlight = new Set([...sealed.map(({ writer }) => writer), active]);
    try {
      for (const segment of sealed) {
        if (segment.durable) continue;
        await fileSystem.dataSyncAsync(segment.writer.syncDescriptor);
        latch.check();
        segment.durable = true;
      }
      await fileSystem.dataSyncAsync(active.syncDescriptor);
      // A sync that the writer waited for may have failed in the meantime: what it should have
      // covered is not synced again.
      latch.check();
      if (this.directoryChangesSynced < directoryChanges) {
        await fileSystem.directorySyncAsync(directory);
        this.directoryChangesSynced = directoryChanges;
      }
      // A write that failed in the meantime, or a lease that ran out: nothing is acknowledged any
      // more.
      latch.check();
      this.checkLock();
      this.advance(end);
      if (sealed.length > 0) await mark.syncAsync();
      latch.check();
    } catch (error) {
      failure = error instanceof StoreError ? error : latch.close('SYNC_FAILED', 'the sync', error);
      throw failure;
    } finally {
      this.inFlight = new Set();
      this.closeDurable(failure === undefined);
      probe?.synced?.(operation, waiters, unsyncedBytes, startNs, nowNs() - startNs, failure);
    }
  }

  /**
   * Closes the latch when the lock may be somebody else's by now: then nothing may be acknowledged.
   */
  private checkLock(): void {
    const { lock, latch } = this.options;
    if (lock.stillHeld()) return;
    throw latch.close(
      'SYNC_FAILED',
      'keeping the writer lock',
      new Error('it was not refreshed in time'),
    );
  }

  /** Runs a sync on the caller's time, which is a stall that somebody will want to see. */
  private block(reason: 'rotation' | 'unsynced-records', sync: () => void): void {
    const { probe, latch } = this.options;
    const startNs = probe?.writeStalled === undefined ? 0 : nowNs();
    let done = false;
    try {
      sync();
      done = true;
    } catch (error) {
      throw latch.close('SYNC_FAILED', 'the sync before a write', error);
    } finally {
      this.closeDurable(done);
    }
    probe?.writeStalled?.(reason, startNs, nowNs() - startNs);
  }

  private syncSealed(): void {
    const { fileSystem, directory } = this.options;
    for (const segment of this.sealed) {
      if (segment.durable) continue;
      fileSystem.dataSync(segment.writer.appendDescriptor);
      segment.durable = true;
    }
    if (this.directoryIsBehind) {
      fileSystem.directorySync(directory);
      this.directoryChangesSynced = this.directoryChanges;
    }
  }

  /**
   * Moves the durable position, and the mark after it. Blocking and pooled syncs may end in either
   * order.
   */
  private advance(to: LogPosition): void {
    this.lastSyncMs = Date.now();
    if (!isBehind(this.position, to)) return;
    this.position = to;
    this.options.mark.write(to.segmentId, to.offset, to.nextTxid, false);
  }

  private closeDurable(marked: boolean): void {
    this.sealed = this.sealed.filter(({ writer, durable }) => {
      if (!durable || this.inFlight.has(writer)) return true;
      writer.close();
      if (marked) this.options.onSealed(writer.segmentId, writer.sizeBytes);
      return false;
    });
  }
}

function samePosition(a: LogPosition, b: LogPosition): boolean {
  return a.segmentId === b.segmentId && a.offset === b.offset;
}

function isBehind(a: LogPosition, b: LogPosition): boolean {
  return a.segmentId < b.segmentId || (a.segmentId === b.segmentId && a.offset < b.offset);
}
