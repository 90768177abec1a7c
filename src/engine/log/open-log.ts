import { basename, resolve } from 'node:path';
import { checksumName } from '../format/crc32c.ts';
import { StoreError } from '../host/errors.ts';
import type { GuardedFileSystem } from '../host/guarded-file-system.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { Observation, observed } from '../host/observation.ts';
import { checkPath } from '../host/options.ts';
import { PoisonLatch } from '../host/poison-latch.ts';
import type { ProbeGauges } from '../host/probe.ts';
import { ProbeSet } from '../host/probe-set.ts';
import type { OperationResults, RefusedKind } from '../host/store-event.ts';
import { StoreFiles } from '../host/store-files.ts';
import type { DurableMarkWriter } from '../lock/durable-mark.ts';
import type { LogHoldings } from '../lock/log-holdings.ts';
import type { WriterLock } from '../lock/writer-lock.ts';
import {
  type OpenedLog,
  type OpeningOptions,
  openForWriting,
  type ReplayTarget,
} from '../recovery/log-opening.ts';
import { type LogOptions, resolveLogOptions } from '../recovery/log-options.ts';
import type { RecoveryReport } from '../recovery/recovery-report.ts';
import { SegmentFiles } from '../segment/segment-files.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { SegmentReader } from '../segment/segment-reader.ts';
import { type LogStats, OWN_DESCRIPTORS } from './log-stats.ts';
import { LogSync } from './log-sync.ts';
import { LogTail } from './log-tail.ts';
import { LogWriter } from './log-writer.ts';
import { OpenScans } from './open-scans.ts';
import { SegmentSealer } from './segment-sealer.ts';

/**
 * A log that is open for writing, as the store, merges, scrubs and backups see it: its parts, how
 * they are opened and closed together, and what each of them has to ask before it begins. Users
 * see a `RecordLog` or a `Store`.
 */
export class OpenLog {
  readonly files: StoreFiles;
  /** The file system of `files`, which knows whether the directory is still ours. */
  readonly guarded: GuardedFileSystem;
  readonly segmentBytes: number;
  readonly storeId: Buffer;
  /** What the mark says of the sealed segments. */
  readonly holdings: LogHoldings;
  readonly recoveryReport: RecoveryReport;
  readonly probe: ProbeSet | undefined;
  readonly latch: PoisonLatch;
  readonly tail: LogTail;
  readonly writer: LogWriter;
  readonly syncs: LogSync;
  readonly sealer: SegmentSealer;
  readonly reader: SegmentReader;
  readonly scans: OpenScans;
  private readonly mark: DurableMarkWriter;
  private readonly lock: WriterLock;
  /** The last of what `exclusively` was given. */
  private running: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  private readonly closeController = new AbortController();

  private constructor(options: OpeningOptions, opened: OpenedLog) {
    const { probe, target, latch } = options;
    const { fileSystem, directory } = opened;
    const { segmentBytes, descriptorPoolSize } = options.resolved;
    const { mark, holdings, merged, lock, storeId, seals, nextTxid, active } = opened;
    const files = new StoreFiles(fileSystem, directory);
    this.files = files;
    this.guarded = fileSystem;
    this.segmentBytes = segmentBytes;
    this.storeId = storeId;
    this.holdings = holdings;
    this.recoveryReport = opened.report;
    this.probe = probe;
    this.latch = latch;
    this.mark = mark;
    this.lock = lock;
    const numbers = target?.files ?? new SegmentFiles();
    // What is open already is read without a detour.
    this.reader = new SegmentReader(
      options.fileSystem,
      directory,
      numbers,
      descriptorPoolSize,
      probe,
      () => fileSystem.checkDirectory(),
    );
    this.scans = new OpenScans(files, probe);
    const sealed = opened.segments.slice(0, -1);
    const tail = new LogTail(sealed, active, nextTxid);
    this.tail = tail;
    const lowestId = (opened.segments[0] as LogSegment).segmentId;
    const sealing = { files, storeId, latch, probe, seals, merged, lowestId };
    const sealer = new SegmentSealer(sealing, sealed);
    this.sealer = sealer;
    const syncing = { fileSystem, directory, mark, holdings, lock, latch, probe, tail, sealer };
    const syncs = new LogSync(syncing);
    this.syncs = syncs;
    this.writer = new LogWriter({ directory, segmentBytes, latch, probe, tail, syncs });
    sealer.start();
  }

  /**
   * Opens or creates the log in `directory`, taking the writer lock. `target` is given every record
   * that is kept.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only),
   * `NOT_A_DIRECTORY`, `PERMISSION_DENIED` or `IO_FAILED`, in each case without having changed a
   * segment.
   */
  static async open(
    directory: string,
    options: LogOptions = {},
    target?: ReplayTarget,
  ): Promise<OpenLog> {
    checkPath(directory, 'the directory of a store');
    const resolved = resolveLogOptions(options);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probe = ProbeSet.of(options.probe);
    const latch = new PoisonLatch((error) => probe?.event?.({ kind: 'poisoned', error }));
    const path = resolve(directory);
    let log: OpenLog | undefined;
    probe?.attach({
      name: options.name ?? basename(path),
      directory: path,
      checksum: checksumName(),
      gauges: () => log?.gauges(target),
    });
    const given: Omit<OpeningOptions, 'operation'> = {
      fileSystem,
      directory: path,
      latch,
      resolved,
      probe,
      target,
      onOpenProgress: options.onOpenProgress,
      onLeaseLost: (error, fatal) => {
        probe?.event?.({ kind: 'leaseLost', fatal });
        if (error instanceof StoreError) latch.closeWith(error);
        else if (fatal) latch.close('SYNC_FAILED', 'keeping the writer lock', error);
      },
    };
    const result: OperationResults['open'] = { outcome: 'failed', truncatedBytes: 0 };
    const opened = async (operation: number) => {
      const opening = { ...given, operation };
      log = new OpenLog(opening, await openForWriting(opening));
      const { outcome, discarded } = log.recoveryReport;
      result.outcome = outcome;
      result.truncatedBytes = discarded.reduce((sum, { byteLength }) => sum + byteLength, 0);
      return log;
    };
    try {
      return await observed(probe, 'open', result, opened, (error) => {
        const failure = error as StoreError;
        if (failure.segmentId !== undefined) probe?.event?.({ kind: 'corrupted', error: failure });
        return failure;
      });
    } catch (error) {
      probe?.detach(error as StoreError);
      throw error;
    }
  }

  /** Aborted by `close`, for whoever waits. */
  get closed(): AbortSignal {
    return this.closeController.signal;
  }

  /** The failure that ended writing, or undefined. */
  get poisonedBy(): StoreError | undefined {
    return this.latch.poisonedBy;
  }

  /**
   * Does what `RecordLog` promises under this name, and waits for `relief` before its caller is
   * told.
   */
  async sync(relief?: () => Promise<void>): Promise<void> {
    this.checkWritable('sync');
    const wait = new Observation(this.probe, 'durableWait', { syncOperation: 0 });
    try {
      wait.result.syncOperation = await this.syncs.sync();
      await relief?.();
    } catch (error) {
      throw wait.failed(error);
    } finally {
      wait.end();
    }
  }

  /** Does what `RecordLog` promises under this name. */
  rotate(): void {
    this.checkWritable('rotate');
    this.writer.rotate();
  }

  /**
   * Syncs, and settles when every segment that was sealed before the call has its seal file, or
   * could not be given one: then the next opening reads it as before. `check` is called now and
   * then, and throws where it is to end early.
   */
  async sealsWritten(check: () => void = () => {}): Promise<void> {
    const throughId = this.tail.active.segmentId - 1;
    await this.sync();
    await this.sealer.written(throughId, check);
    this.latch.check();
  }

  /**
   * Runs what must not meet a merge, or another of its kind, after those that are running. A close
   * waits for it; it is to end soon then, and calls `checkOpen` for that.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.running.catch(() => {}).then(work);
    this.running = result;
    return result;
  }

  /** The state of the log as it is now. */
  stats(): LogStats {
    const { tail, syncs, sealer, files, probe } = this;
    const pool = this.reader.poolStats;
    return {
      ...pool,
      segments: tail.sealed.length + 1,
      sealedBytes: tail.sealed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      activeBytes: tail.active.sizeBytes,
      openDescriptors:
        this.closing === undefined
          ? OWN_DESCRIPTORS + 2 * syncs.rotatedCount + pool.pooledDescriptors + files.openCount
          : 0,
      unwrittenSeals: syncs.rotatedCount + sealer.pendingCount,
      unsyncedRecords: syncs.unsyncedRecords,
      unsyncedBytes: syncs.unsyncedBytes,
      syncWaiters: syncs.waiterCount,
      lastSyncedAtMs: syncs.lastSyncedAtMs,
      kernelLock: this.lock.kernelLock,
      probeErrors: probe?.errors ?? 0,
    };
  }

  /**
   * Syncs, marks the log as closed in order, and gives everything back. A poisoned log is only
   * given back. Always releases its descriptors and the lock, also when it throws. Calling it again
   * waits for the first call.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    this.closeController.abort();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    await this.running.catch(() => {});
    try {
      if (this.latch.poisonedBy === undefined) {
        await this.syncs.sync();
        await this.sealer.finish();
        await this.syncs.finish();
      }
    } finally {
      await this.syncs.idle();
      await this.sealer.stop();
      this.syncs.closeDescriptors();
      this.tail.active.close();
      await this.reader.close();
      this.mark.close();
      await this.lock.release();
      this.probe?.detach();
    }
  }

  private gauges(target: ReplayTarget | undefined): ProbeGauges {
    const stats = this.stats();
    return {
      ...stats,
      keys: target?.size ?? 0,
      keydirBytes: target?.sizeBytes ?? 0,
      liveBytes: target?.liveBytes ?? 0,
      poisoned: this.poisonedBy !== undefined,
      sealedSegments: stats.segments - 1,
      segmentBytes: this.tail.totalBytes,
    };
  }

  /** Throws `STORE_CLOSED` after `close`, and `REENTRANT` for a probe that is being told. */
  checkOpen(): void {
    this.probe?.checkNotTelling();
    if (this.closing !== undefined) {
      const { directory } = this.files;
      throw new StoreError('STORE_CLOSED', `${directory} was closed`, { path: directory });
    }
  }

  /**
   * Throws `STORE_CLOSED` after `close`, and `WRITER_POISONED` after a failure to write; the probe
   * is told what was refused.
   */
  checkWritable(operation?: RefusedKind): void {
    this.checkOpen();
    const { refusal } = this.latch;
    if (refusal === undefined) return;
    if (operation !== undefined)
      this.probe?.event?.({ kind: 'refused', operationKind: operation, error: refusal });
    throw refusal;
  }
}
