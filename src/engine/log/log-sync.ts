import { SLOT_COUNT } from '../format/slot-file.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { observed } from '../host/observation.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import { nowNs, operationKey } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { DurableMarkWriter } from '../lock/durable-mark.ts';
import type { LogHoldings } from '../lock/log-holdings.ts';
import { leaseLost, type WriterLock } from '../lock/writer-lock.ts';
import type { SegmentWriter } from '../segment/segment-writer.ts';
import { GroupCommit } from './group-commit.ts';
import type { LogPosition, LogTail } from './log-tail.ts';
import type { SegmentSealer } from './segment-sealer.ts';

/** A segment that the log has rotated away from, until it and the mark behind it are durable. */
interface RotatedSegment {
  readonly writer: SegmentWriter;
  /** Where the log went on in the next segment. */
  readonly end: LogPosition;
  durable: boolean;
}

export interface LogSyncOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly mark: DurableMarkWriter;
  /** The holdings of the sealed segments, for the mark. */
  readonly holdings: LogHoldings;
  readonly lock: WriterLock;
  readonly latch: PoisonLatch;
  readonly probe: ProbeSet | undefined;
  /** The end of the log that an opening has found and made durable. */
  readonly tail: LogTail;
  /**
   * Is given a segment once it, its name, the name of the next one and the mark behind it are
   * durable.
   */
  readonly sealer: SegmentSealer;
}

/**
 * Makes the log durable, in log order, and keeps the durable mark behind it. A sync of the log is:
 * the segments that were rotated away and are not durable yet, oldest first; the active one; the
 * directory if a segment was created; then the mark. Only after all of it is anybody told.
 *
 * A rotation asks for the same sync, which runs in the thread pool. A writer that has to wait for
 * it (see `waitForRotated`, `syncNow`) blocks on the other descriptor of the segment.
 */
export class LogSync {
  private readonly options: LogSyncOptions;
  private readonly commits: GroupCommit;
  private rotated: RotatedSegment[] = [];
  /** Segments of the commit that is running in the thread pool: not to be closed under it. */
  private inFlight: ReadonlySet<SegmentWriter> = new Set();
  private directoryChanges = 0;
  private directoryChangesSynced = 0;
  private position: LogPosition;
  private lastSyncMs: number | undefined;

  constructor(options: LogSyncOptions) {
    this.options = options;
    this.position = options.tail.end;
    this.commits = new GroupCommit((waiters) => this.commit(waiters));
  }

  /** Everything before this position is on stable storage. */
  get durable(): LogPosition {
    return this.position;
  }

  get unsyncedRecords(): number {
    return this.options.tail.nextTxid - this.position.nextTxid;
  }

  get unsyncedBytes(): number {
    const { segmentId, offset } = this.position;
    return this.options.tail.segments.reduce((sum, segment) => {
      if (segment.segmentId < segmentId) return sum;
      return sum + segment.sizeBytes - (segment.segmentId === segmentId ? offset : 0);
    }, 0);
  }

  get waiterCount(): number {
    return this.commits.waiterCount;
  }

  /** Rotated segments, whose descriptors are still open. */
  get rotatedCount(): number {
    return this.rotated.length;
  }

  /** Wall-clock milliseconds of the last completed sync. */
  get lastSyncedAtMs(): number | undefined {
    return this.lastSyncMs;
  }

  /**
   * Settles when everything appended before this call is durable, with the number of the operation
   * that made it so (`operationKey`); 0 where it was durable already.
   */
  sync(): Promise<number> {
    return this.commits.join();
  }

  /** Takes over a segment that the log has rotated away from, and starts its sync. */
  takeOver(writer: SegmentWriter, end: LogPosition): void {
    this.rotated.push({ writer, end, durable: false });
    const { segmentId, sizeBytes } = writer;
    this.options.holdings.add({ segmentId, sizeBytes, mergedDigest: undefined });
    this.directoryChanges++;
    // A failure poisons the writer; there is nobody else to tell.
    this.commits.join().catch(() => {});
  }

  /**
   * Called before a rotation: at most one rotated segment may be waiting for its sync, and the
   * directory entry of the active one must be durable. Recovery relies on it: a segment with bytes
   * two places further proves this one synced.
   */
  waitForRotated(): void {
    // A rotated segment stays in the list until the mark that follows its sync is durable, too.
    if (this.rotated.length === 0 && !this.directoryIsBehind) return;
    this.block('rotation', () => {
      const rotated = this.syncRotated();
      this.checkHeld(rotated);
      const last = this.rotated.at(-1);
      if (last !== undefined) this.advance(last.end);
      this.options.mark.sync();
    });
  }

  /** Blocks until everything appended so far is durable. */
  syncNow(): void {
    this.block('unsynced-records', () => {
      const end = this.options.tail.end;
      const anyRotated = this.rotated.length > 0;
      const active = this.options.tail.active;
      const rotated = this.syncRotated();
      this.options.fileSystem.dataSync(active.appendDescriptor);
      this.checkHeld([...rotated, active]);
      this.advance(end);
      if (anyRotated) this.options.mark.sync();
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
    this.checkHeld([this.options.tail.active]);
    const { segmentId, offset, nextTxid } = this.options.tail.end;
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
    for (const { writer } of this.rotated) writer.close();
    this.rotated = [];
  }

  private get directoryIsBehind(): boolean {
    return this.directoryChangesSynced < this.directoryChanges;
  }

  private async commit(waiters: number): Promise<number> {
    const { latch, probe } = this.options;
    latch.check();
    const end = this.options.tail.end;
    const rotated = [...this.rotated];
    const active = this.options.tail.active;
    if (rotated.length === 0 && samePosition(end, this.position)) {
      this.checkHeld([active]);
      return 0;
    }
    const directoryChanges = this.directoryChanges;
    const syncedBytes =
      end.offset - (end.segmentId === this.position.segmentId ? this.position.offset : 0);
    return observed(probe, 'sync', { waiters, syncedBytes }, async (operation) => {
      await this.syncTo(end, rotated, active, directoryChanges);
      return operationKey(operation);
    });
  }

  /** Makes the log durable up to `end`, where `active` was when these segments were `rotated`. */
  private async syncTo(
    end: LogPosition,
    rotated: readonly RotatedSegment[],
    active: SegmentWriter,
    directoryChanges: number,
  ): Promise<void> {
    const { fileSystem, directory, latch, mark } = this.options;
    let done = false;
    this.inFlight = new Set([...rotated.map(({ writer }) => writer), active]);
    const synced = [active];
    try {
      for (const segment of rotated) {
        if (segment.durable) continue;
        synced.push(segment.writer);
        await fileSystem.dataSyncAsync(segment.writer.syncDescriptor);
        latch.check();
        segment.durable = true;
      }
      const syncing = fileSystem.dataSyncAsync(active.syncDescriptor);
      // The names are looked at while the disk is at work: everything that this acknowledges was
      // written before, and what is done to them later comes after it.
      let objection = this.objection(synced);
      await syncing;
      // A sync that the writer waited for may have failed in the meantime: what it should have
      // covered is not synced again.
      latch.check();
      if (this.directoryChangesSynced < directoryChanges) {
        await fileSystem.directorySyncAsync(directory);
        // It went by its name.
        objection ??= this.objection(synced);
        this.directoryChangesSynced = directoryChanges;
      }
      // A write that failed in the meantime, a lease that ran out, a directory that is another one:
      // nothing is acknowledged any more.
      latch.check();
      this.refuse(objection);
      this.advance(end);
      if (rotated.length > 0) await mark.syncAsync();
      latch.check();
      done = true;
    } catch (error) {
      throw error instanceof StoreError ? error : latch.close('SYNC_FAILED', 'the sync', error);
    } finally {
      this.inFlight = new Set();
      this.closeDurable(done);
    }
  }

  /**
   * Closes the latch when the lock may be somebody else's by now, or when a name does not lead to
   * what was synced: then nothing may be acknowledged.
   */
  private checkHeld(writers: readonly SegmentWriter[]): void {
    this.refuse(this.objection(writers));
  }

  /** What is wrong with the names. */
  private objection(writers: readonly SegmentWriter[]): StoreError | undefined {
    // The names of segments speak for the directory: two looks where one segment was synced.
    let objection = this.options.lock.held.fileObjection();
    for (const writer of writers) objection ??= writer.objection();
    return objection;
  }

  private refuse(objection: StoreError | undefined): void {
    const { lock, latch } = this.options;
    if (!lock.stillHeld()) {
      throw latch.close('SYNC_FAILED', 'keeping the writer lock', leaseLost());
    }
    if (objection !== undefined) throw latch.closeWith(objection);
  }

  /** Runs a sync on the caller's time, which is a stall that somebody will want to see. */
  private block(reason: 'rotation' | 'unsynced-records', sync: () => void): void {
    const { probe, latch } = this.options;
    const startNs = probe?.event === undefined ? 0 : nowNs();
    let done = false;
    try {
      sync();
      done = true;
    } catch (error) {
      throw latch.close('SYNC_FAILED', 'the sync before a write', error);
    } finally {
      this.closeDurable(done);
    }
    probe?.event?.({ kind: 'writeStalled', reason, startNs, durationNs: nowNs() - startNs });
  }

  /** Returns the segments that were not durable before. */
  private syncRotated(): SegmentWriter[] {
    const { fileSystem, directory } = this.options;
    const synced: SegmentWriter[] = [];
    for (const segment of this.rotated) {
      if (segment.durable) continue;
      fileSystem.dataSync(segment.writer.appendDescriptor);
      segment.durable = true;
      synced.push(segment.writer);
    }
    if (this.directoryIsBehind) {
      fileSystem.directorySync(directory);
      this.directoryChangesSynced = this.directoryChanges;
    }
    return synced;
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
    this.rotated = this.rotated.filter(({ writer, durable }) => {
      if (!durable || this.inFlight.has(writer)) return true;
      writer.close();
      if (marked) this.options.sealer.add(writer);
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
