import { basename, resolve } from 'node:path';
import { type BytesLike, keyBytes, payloadBytes } from './bytes.ts';
import { StoreError, wrapSystemError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import { CRC_BYTES, HEADER_BYTES, MAX_RECORD_TYPE, MAX_SEGMENT_ID, RecordType } from './format.ts';
import {
  frameBytes,
  headerKeyLength,
  headerTxid,
  headerType,
  type LogRecord,
  type RecordRef,
} from './frame.ts';
import { type OpenedLog, type OpeningOptions, openForWriting } from './log-opening.ts';
import { type LogOptions, resolveLogOptions } from './log-options.ts';
import { LogScans } from './log-scans.ts';
import { type LogPosition, LogSync } from './log-sync.ts';
import { type PreparedMerge, publishMerge } from './merge-publication.ts';
import { NodeFileSystem } from './node-file-system.ts';
import { PoisonLatch } from './poison-latch.ts';
import { nowNs, type OperationKind, type ProbeGauges } from './probe.ts';
import { ProbeSet, partDuration, partStart } from './probe-set.ts';
import { MAX_UNSYNCED_RECORDS } from './recovery.ts';
import type { RecoveryReport } from './recovery-report.ts';
import type { Seal } from './seal-file.ts';
import type { HintReader } from './seal-hints.ts';
import { SegmentFiles } from './segment-files.ts';
import type { LogSegment } from './segment-list.ts';
import { type PoolStats, SegmentReader } from './segment-reader.ts';
import type { ScannedRecord } from './segment-records.ts';
import type { SegmentScanner } from './segment-scanner.ts';
import { SegmentSealer } from './segment-sealer.ts';
import { SegmentWriter, WRITE_BUFFER_BYTES } from './segment-writer.ts';

/** The lock, two of the mark, two of the active segment. */
const OWN_DESCRIPTORS = 5;

const APPEND_KINDS = ['append', 'put', 'delete'] as const;

/** What is built from the records of a log while it is opened: the keydir. */
export interface LogView {
  readonly files: SegmentFiles;
  /** The store's id, before the first record. */
  identify(storeId: Buffer): void;
  apply(segmentId: number, frame: SegmentScanner): void;
  applyHint(segmentId: number, hint: HintReader): void;
  readonly size: number;
  readonly sizeBytes: number;
  readonly liveBytes: number;
}

/** One record to append. */
export interface Append {
  readonly type: RecordType;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

export interface ScrubSource {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  /** As they are now, ascending; the last is the active one. */
  readonly segments: () => readonly LogSegment[];
  /** Throws `STORE_CLOSED` after `close`. */
  readonly checkOpen: () => void;
  /** To be told 1 for each file that is opened, and -1 when it is closed. */
  readonly onDescriptors: (change: 1 | -1) => void;
}

export interface BackupSource extends ScrubSource {
  readonly storeId: Buffer;
  /** Makes durable what was appended before the call, unless the writer is poisoned, and says how far the log is. */
  readonly sync: () => Promise<LogPosition>;
}

export interface LogStats extends PoolStats {
  readonly segments: number;
  readonly sealedBytes: number;
  readonly activeBytes: number;
  /** Files that this log holds open: lock, two of the mark, two a segment being written or synced, a seal being written and its segment, the read pool, scans, merges. */
  readonly openDescriptors: number;
  /** Sealed segments whose seal files are not written yet. */
  readonly unwrittenSeals: number;
  readonly unsyncedRecords: number;
  readonly unsyncedBytes: number;
  readonly syncWaiters: number;
  /** Wall-clock milliseconds; undefined before the first sync. */
  readonly lastSyncedAtMs: number | undefined;
  readonly probeErrors: number;
}

/**
 * The append-only log: frames in numbered segments, one writer. `append` survives the death of the process,
 * `sync` survives a power cut. Any failure to write or sync ends writing until the log is opened again.
 */
export class RecordLog {
  readonly directory: string;
  readonly recoveryReport: RecoveryReport;

  readonly fileSystem: FileSystem;
  readonly segmentBytes: number;
  readonly probe: ProbeSet | undefined;
  readonly reader: SegmentReader;

  private readonly latch: PoisonLatch;
  private readonly opened: OpenedLog;
  private readonly syncs: LogSync;
  private readonly sealer: SegmentSealer;
  private readonly scans: LogScans;
  private readonly writeBuffer = Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
  private sealed: LogSegment[];
  private active: SegmentWriter;
  private nextTxid: number;
  /** Files that a merge holds open. */
  mergeDescriptors = 0;
  /** Told when a seal file was written. */
  onSealWritten: () => void = () => {};
  private held: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  private constructor(
    options: OpeningOptions,
    probe: ProbeSet | undefined,
    latch: PoisonLatch,
    opened: OpenedLog,
    reader: SegmentReader,
  ) {
    const { fileSystem, directory } = options;
    const active = opened.segments.at(-1) as LogSegment;
    this.directory = directory;
    this.recoveryReport = opened.report;
    this.fileSystem = fileSystem;
    this.segmentBytes = options.resolved.segmentBytes;
    this.probe = probe;
    this.latch = latch;
    this.opened = opened;
    this.reader = reader;
    this.scans = new LogScans(fileSystem, directory, probe);
    this.sealed = opened.segments.slice(0, -1);
    this.nextTxid = opened.nextTxid;
    this.active = SegmentWriter.open(
      fileSystem,
      directory,
      active.segmentId,
      'write',
      active.sizeBytes,
      this.writeBuffer,
    );
    this.syncs = new LogSync({
      fileSystem,
      directory,
      mark: opened.mark,
      lock: opened.lock,
      latch,
      probe,
      start: this.end,
      end: () => this.end,
      active: () => this.active,
      onSealed: (segmentId, sizeBytes) => this.sealer.add({ segmentId, sizeBytes }),
    });
    const { storeId, seals } = opened;
    const lowestId = (opened.segments[0] as LogSegment).segmentId;
    // What a merge has absorbed is spoken for by the seal of its output.
    const covered = seals.covered(this.sealed.map(({ segmentId }) => segmentId));
    this.sealer = new SegmentSealer(
      {
        fileSystem,
        directory,
        storeId,
        latch,
        probe,
        seals,
        lowestId,
        onWritten: () => this.onSealWritten(),
      },
      this.sealed.filter(
        ({ segmentId, sizeBytes }) =>
          seals.of(segmentId)?.byteLength !== sizeBytes && !covered.has(segmentId),
      ),
    );
    this.sealer.start();
  }

  /**
   * Opens or creates the log in `directory`, taking the writer lock. `view` is given every record that is kept.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only), `NOT_A_DIRECTORY`,
   * `PERMISSION_DENIED` or `IO_FAILED`, in each case without having changed a segment.
   */
  static async open(directory: string, options: LogOptions = {}, view?: LogView): Promise<RecordLog> {
    const resolved = resolveLogOptions(options);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probe = ProbeSet.of(options.probe);
    const latch = new PoisonLatch((error) => probe?.poisoned?.(error));
    const path = resolve(directory);
    let log: RecordLog | undefined;
    probe?.attach({ name: options.name ?? basename(path), gauges: () => log?.gauges(view) });
    const opening: OpeningOptions = {
      fileSystem,
      directory: path,
      resolved,
      probe,
      operation: probe?.begin('open') ?? 0,
      identify: (storeId) => view?.identify(storeId),
      visit: (segmentId, frame) => view?.apply(segmentId, frame),
      visitHint: view === undefined ? undefined : (segmentId, hint) => view.applyHint(segmentId, hint),
      onOpenProgress: options.onOpenProgress,
      onLeaseLost: (error, fatal) => {
        probe?.leaseLost?.(fatal);
        if (fatal) latch.close('SYNC_FAILED', 'keeping the writer lock', error);
      },
    };
    const startNs = probe === undefined ? 0 : nowNs();
    try {
      log = await RecordLog.openReported(opening, probe, latch, view);
    } catch (error) {
      if (error instanceof StoreError) {
        if (error.segmentId !== undefined) probe?.corrupted?.(error);
        probe?.opened?.(opening.operation, 'failed', 0, startNs, nowNs() - startNs, error);
      }
      probe?.detach();
      throw error;
    }
    const { outcome, discarded } = log.recoveryReport;
    const truncatedBytes = discarded.reduce((sum, { byteLength }) => sum + byteLength, 0);
    probe?.opened?.(opening.operation, outcome, truncatedBytes, startNs, nowNs() - startNs, undefined);
    return log;
  }

  private static async openReported(
    opening: OpeningOptions,
    probe: ProbeSet | undefined,
    latch: PoisonLatch,
    view: LogView | undefined,
  ): Promise<RecordLog> {
    const opened = await openForWriting(opening);
    try {
      const { fileSystem, directory, resolved } = opening;
      const reader = new SegmentReader(
        fileSystem,
        directory,
        view?.files ?? new SegmentFiles(),
        resolved.descriptorPoolSize,
        probe,
      );
      return new RecordLog(opening, probe, latch, opened, reader);
    } catch (error) {
      opened.mark.close();
      await opened.lock.release();
      throw wrapSystemError(error, 'open the log', opening.directory);
    }
  }

  /** Where the next record goes. */
  get end(): LogPosition {
    return { segmentId: this.active.segmentId, offset: this.active.sizeBytes, nextTxid: this.nextTxid };
  }

  /** Everything before this position is known to be on stable storage. */
  get durableEnd(): LogPosition {
    return this.syncs.durable;
  }

  /** The failure that ended writing, or undefined. */
  get poisonedBy(): StoreError | undefined {
    return this.latch.poisonedBy;
  }

  /** Appends opaque bytes as a Raw record. Survives the death of the process, not a power cut. */
  append(payload: BytesLike): RecordRef {
    return this.appendRecord(RecordType.Raw, '', payload);
  }

  /** Appends one record with one write call. Survives the death of the process, not a power cut. */
  appendRecord(type: RecordType, key: BytesLike, payload: BytesLike): RecordRef {
    if (!Number.isInteger(type) || type < 0 || type > MAX_RECORD_TYPE) {
      throw new RangeError(`a record type must be an integer from 0 to ${MAX_RECORD_TYPE}, not ${type}`);
    }
    const keyed = keyBytes(key);
    const loaded = payloadBytes(payload);
    const kind = APPEND_KINDS[type];
    this.checkWritable(kind);
    const { probe } = this;
    if (probe === undefined) return this.appendOne(type, keyed, loaded, 0);
    const operation = probe.begin(kind);
    const startNs = nowNs();
    const userBytes = keyed.length + loaded.length;
    const byteLength = frameBytes(keyed.length, loaded.length);
    try {
      const ref = this.appendOne(type, keyed, loaded, operation);
      probe.appended?.(operation, kind, byteLength, userBytes, startNs, nowNs() - startNs, undefined);
      return ref;
    } catch (error) {
      probe.appended?.(
        operation,
        kind,
        byteLength,
        userBytes,
        startNs,
        nowNs() - startNs,
        error as StoreError,
      );
      throw error;
    }
  }

  private appendOne(type: RecordType, key: Uint8Array, payload: Uint8Array, operation: number): RecordRef {
    const byteLength = frameBytes(key.length, payload.length);
    this.makeRoom(byteLength);
    const { segmentId, sizeBytes: offset } = this.active;
    try {
      this.active.append(type, this.nextTxid, key, payload);
    } catch (error) {
      throw this.latch.close('WRITE_FAILED', 'the append', error);
    }
    this.nextTxid++;
    this.probe?.wrote?.(operation, segmentId, offset, byteLength);
    return { segmentId, offset, byteLength };
  }

  /**
   * Appends many records with few write calls. After a crash all of them are there, or a prefix. `written` is told of
   * each record once the kernel has it, in order: when a write fails in the middle, of those before it only.
   */
  appendAll(appends: readonly Append[], written: (append: Append, ref: RecordRef) => void): void {
    this.checkWritable('batch');
    const { probe } = this;
    if (probe === undefined) {
      this.appendStaged(appends, written, 0);
      return;
    }
    const operation = probe.begin('batch');
    const startNs = nowNs();
    let puts = 0;
    let deletes = 0;
    let bytes = 0;
    let userBytes = 0;
    let failure: unknown;
    try {
      this.appendStaged(
        appends,
        (append, ref) => {
          if (append.type === RecordType.Delete) deletes++;
          else puts++;
          bytes += ref.byteLength;
          userBytes += append.key.length + append.payload.length;
          written(append, ref);
        },
        operation,
      );
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const error = failure as StoreError | undefined;
      probe.batched?.(operation, puts, deletes, bytes, userBytes, startNs, nowNs() - startNs, error);
    }
  }

  private appendStaged(
    appends: readonly Append[],
    written: (append: Append, ref: RecordRef) => void,
    operation: number,
  ): void {
    let staged: { append: Append; ref: RecordRef }[] = [];
    const flush = () => {
      if (staged.length === 0) return;
      const { segmentId, sizeBytes } = this.active;
      try {
        this.active.flush();
      } catch (error) {
        throw this.latch.close('WRITE_FAILED', 'the append of a batch', error);
      }
      this.probe?.wrote?.(operation, segmentId, sizeBytes, this.active.sizeBytes - sizeBytes);
      for (const { append, ref } of staged) written(append, ref);
      staged = [];
    };
    for (const append of appends) {
      const { type, key, payload } = append;
      const byteLength = frameBytes(key.length, payload.length);
      if (this.needsRoom(byteLength) || !this.active.canStage(key, payload)) {
        flush();
        this.makeRoom(byteLength);
      }
      if (!this.active.canStage(key, payload)) {
        written(append, this.appendOne(type, key, payload, operation));
        continue;
      }
      const offset = this.active.sizeBytes + this.active.stagedBytes;
      staged.push({ append, ref: { segmentId: this.active.segmentId, offset, byteLength } });
      this.active.stage(type, this.nextTxid, key, payload);
      this.nextTxid++;
    }
    flush();
  }

  /** The record at `ref`, its checksum verified. Throws `CRC_MISMATCH`, `FRAME_MISMATCH` or `READ_FAILED`. */
  read(ref: RecordRef): LogRecord {
    this.checkOpen();
    const { probe } = this;
    const operation = probe?.begin('get') ?? 0;
    const startNs = partStart(operation);
    let failure: unknown;
    try {
      const frame = this.reader.read(ref, 'get', operation);
      const { frameAt } = this.reader;
      return toRecord(frame.subarray(frameAt, frameAt + ref.byteLength));
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const error = failure as StoreError | undefined;
      probe?.got?.(operation, error === undefined, startNs, partDuration(operation, startNs), error);
    }
  }

  /** Every record up to the present end, in log order. */
  *scan(): Generator<ScannedRecord> {
    this.checkOpen();
    yield* this.scans.scan(this.segmentsNow());
  }

  /** Segments that are final, ascending, each with its seal where it has one. */
  sealedSegments(): (LogSegment & { readonly seal: Seal | undefined })[] {
    return this.sealed.map((segment) => {
      const seal = this.sealer.sealOf(segment.segmentId);
      // One that another program has appended to has a seal of what it was before.
      return { ...segment, seal: seal?.byteLength === segment.sizeBytes ? seal : undefined };
    });
  }

  /** What whoever reads the files of the log in slices, while it is written, goes by. */
  scrubSource(): ScrubSource {
    const { fileSystem, directory, probe } = this;
    return {
      fileSystem,
      directory,
      probe,
      segments: () => this.segmentsNow(),
      checkOpen: () => this.checkOpen(),
      onDescriptors: (change) => this.scans.count(change),
    };
  }

  /** The same for a backup. A poisoned log is copied as far as it is known to be durable. */
  backupSource(): BackupSource {
    const sync = async () => {
      if (this.poisonedBy === undefined) await this.sync();
      return this.durableEnd;
    };
    return { ...this.scrubSource(), storeId: this.opened.storeId, sync };
  }

  /**
   * Puts the output of a merge in the place of a run of sealed segments; see merge-publication.ts. `check` throws where
   * the merge is to end early.
   */
  publish(merge: PreparedMerge, check: () => void): Promise<void> {
    const { fileSystem, directory, latch, syncs, reader, sealer } = this;
    return publishMerge(
      {
        fileSystem,
        directory,
        latch,
        syncs,
        reader,
        sealer,
        check,
        scans: this.scans,
        replaced: (segments) => {
          const changed = new Map(segments.map((segment) => [segment.segmentId, segment]));
          this.sealed = this.sealed.map((segment) => changed.get(segment.segmentId) ?? segment);
        },
      },
      merge,
    );
  }

  /** A close waits for this to settle; it is to end soon, and reads `checkOpen` for it. */
  holdClosing(work: Promise<unknown>): void {
    this.held = work;
  }

  /** Settles when every segment that was rotated away by now has its seal, or could not be given one. */
  async sealsWritten(): Promise<void> {
    await this.sync();
    await this.sealer.idle();
  }

  get storeId(): Buffer {
    return this.opened.storeId;
  }

  /**
   * Settles when everything appended before the call survives a power cut. Callers share syncs. Throws
   * `SYNC_FAILED`: what it should have made durable may or may not be, and writing ends.
   */
  async sync(): Promise<void> {
    this.checkWritable('sync');
    await this.syncs.sync();
  }

  /** Seals the active segment and goes on in a new one. The sync of the sealed one runs in the background. */
  rotate(): void {
    this.checkWritable();
    const next = this.active.segmentId + 1;
    if (next > MAX_SEGMENT_ID) {
      throw new StoreError('LOG_FULL', `segment ids end at ${MAX_SEGMENT_ID}; compactTo a new directory`, {
        path: this.directory,
      });
    }
    this.syncs.waitForSealed();
    const previous = this.active;
    try {
      this.active = SegmentWriter.open(this.fileSystem, this.directory, next, 'create', 0, this.writeBuffer);
    } catch (error) {
      throw this.latch.close('WRITE_FAILED', 'the rotation', error);
    }
    this.sealed.push({ segmentId: previous.segmentId, sizeBytes: previous.sizeBytes });
    this.syncs.seal(previous, this.end);
    this.probe?.rotated?.(previous.segmentId, next);
  }

  /** Bytes of all segments. */
  get totalBytes(): number {
    return this.segmentsNow().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  stats(): LogStats {
    const pool = this.reader.poolStats;
    return {
      ...pool,
      segments: this.sealed.length + 1,
      sealedBytes: this.totalBytes - this.active.sizeBytes,
      activeBytes: this.active.sizeBytes,
      openDescriptors:
        this.closing === undefined
          ? OWN_DESCRIPTORS +
            2 * this.syncs.sealingCount +
            this.sealer.descriptorCount +
            pool.pooledDescriptors +
            this.scans.descriptorCount +
            this.mergeDescriptors
          : 0,
      unwrittenSeals: this.syncs.sealingCount + this.sealer.pendingCount,
      unsyncedRecords: this.nextTxid - this.syncs.durable.nextTxid,
      unsyncedBytes: this.bytesAfter(this.syncs.durable),
      syncWaiters: this.syncs.waiterCount,
      lastSyncedAtMs: this.syncs.lastSyncedAtMs,
      probeErrors: this.probe?.errors ?? 0,
    };
  }

  /**
   * Syncs, marks the log as closed in order, and gives everything back. A poisoned log is only given back. Always
   * releases its descriptors and the lock, also when it throws. Calling it again waits for the first call.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    await this.held.catch(() => {});
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
      this.active.close();
      await this.reader.close();
      this.opened.mark.close();
      await this.opened.lock.release();
      this.probe?.detach();
    }
  }

  private gauges(view: LogView | undefined): ProbeGauges {
    const stats = this.stats();
    return {
      ...stats,
      keys: view?.size ?? 0,
      keydirBytes: view?.sizeBytes ?? 0,
      liveBytes: view?.liveBytes ?? 0,
      poisoned: this.poisonedBy !== undefined,
      sealedSegments: stats.segments - 1,
      segmentBytes: this.totalBytes,
    };
  }

  private segmentsNow(): LogSegment[] {
    return [...this.sealed, { segmentId: this.active.segmentId, sizeBytes: this.active.sizeBytes }];
  }

  private bytesAfter({ segmentId, offset }: LogPosition): number {
    return this.segmentsNow().reduce((sum, segment) => {
      if (segment.segmentId < segmentId) return sum;
      return sum + segment.sizeBytes - (segment.segmentId === segmentId ? offset : 0);
    }, 0);
  }

  private needsRoom(byteLength: number): boolean {
    const used = this.active.sizeBytes + this.active.stagedBytes;
    return (used > 0 && used + byteLength > this.segmentBytes) || this.unsyncedIsFull();
  }

  private unsyncedIsFull(): boolean {
    return this.nextTxid - this.syncs.durable.nextTxid >= MAX_UNSYNCED_RECORDS;
  }

  /** Before an append: rotates a full segment, and syncs when too much is unsynced. */
  private makeRoom(byteLength: number): void {
    if (this.active.sizeBytes > 0 && this.active.sizeBytes + byteLength > this.segmentBytes) this.rotate();
    if (this.unsyncedIsFull()) this.syncs.syncNow();
  }

  /** Throws `STORE_CLOSED` after `close`. */
  checkOpen(): void {
    if (this.closing !== undefined) {
      throw new StoreError('STORE_CLOSED', `${this.directory} was closed`, { path: this.directory });
    }
  }

  /** Throws `STORE_CLOSED` after `close`, and `WRITER_POISONED` after a failure to write; the probe is told what was refused. */
  checkWritable(operation?: OperationKind): void {
    this.checkOpen();
    const { refusal } = this.latch;
    if (refusal === undefined) return;
    if (operation !== undefined) this.probe?.refused?.(operation, refusal);
    throw refusal;
  }
}

function toRecord(frame: Buffer): LogRecord {
  const payloadAt = HEADER_BYTES + headerKeyLength(frame, 0);
  return {
    type: headerType(frame, 0),
    txid: headerTxid(frame, 0),
    key: frame.subarray(HEADER_BYTES, payloadAt),
    payload: frame.subarray(payloadAt, frame.length - CRC_BYTES),
  };
}
