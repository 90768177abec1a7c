import { resolve } from 'node:path';
import { type BytesLike, keyBytes, payloadBytes } from './bytes.ts';
import { StoreError } from './errors.ts';
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
import { type LogPosition, LogSync } from './log-sync.ts';
import { NodeFileSystem } from './node-file-system.ts';
import { PoisonLatch } from './poison-latch.ts';
import { GuardedProbe, nowNs } from './probe.ts';
import type { LogSegment } from './recovery.ts';
import type { RecoveryReport } from './recovery-report.ts';
import { SegmentReader } from './segment-reader.ts';
import { type ScannedRecord, scanSegments } from './segment-records.ts';
import { SegmentWriter, WRITE_BUFFER_BYTES } from './segment-writer.ts';

/** At most this many records are unsynced at any time, so that txids can be set aside for all of them. */
export const MAX_UNSYNCED_RECORDS = 2 ** 19;

/** One record to append. */
export interface Append {
  readonly type: RecordType;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

export interface LogStats {
  readonly segments: number;
  readonly sealedBytes: number;
  readonly activeBytes: number;
  /** Files that this log holds open: lock, mark, two a segment being written or sealed, and the read pool. */
  readonly openDescriptors: number;
  readonly unsyncedRecords: number;
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
  readonly probe: GuardedProbe | undefined;
  readonly reader: SegmentReader;

  private readonly latch: PoisonLatch;
  private readonly opened: OpenedLog;
  private readonly syncs: LogSync;
  private readonly writeBuffer = Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
  private readonly sealed: LogSegment[];
  private active: SegmentWriter;
  private nextTxid: number;
  private closing: Promise<void> | undefined;

  private constructor(
    options: OpeningOptions,
    probe: GuardedProbe | undefined,
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
    });
  }

  /**
   * Opens or creates the log in `directory`, taking the writer lock. `visit` sees every record that is kept.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only), `NOT_A_DIRECTORY`,
   * `PERMISSION_DENIED` or `IO_FAILED`, in each case without having changed a segment.
   */
  static async open(
    directory: string,
    options: LogOptions = {},
    visit: OpeningOptions['visit'] = () => {},
  ): Promise<RecordLog> {
    const resolved = resolveLogOptions(options);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probes = options.probe === undefined ? [] : [options.probe].flat();
    const probe = probes.length === 0 ? undefined : new GuardedProbe(probes);
    const latch = new PoisonLatch((error) => probe?.poisoned?.(error));
    const opening: OpeningOptions = {
      fileSystem,
      directory: resolve(directory),
      resolved,
      probe,
      visit,
      onOpenProgress: options.onOpenProgress,
      onLeaseLost: (error, fatal) => {
        probe?.leaseLost?.(fatal);
        if (fatal) latch.close('SYNC_FAILED', 'keeping the writer lock', error);
      },
    };
    let opened: OpenedLog;
    try {
      opened = await openForWriting(opening);
    } catch (error) {
      if (error instanceof StoreError && error.segmentId !== undefined) probe?.corrupted?.(error);
      throw error;
    }
    try {
      const reader = new SegmentReader(fileSystem, opening.directory, resolved.descriptorPoolSize, probe);
      return new RecordLog(opening, probe, latch, opened, reader);
    } catch (error) {
      opened.mark.close();
      await opened.lock.release();
      throw error;
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
    this.checkWritable();
    const startNs = this.probe?.appended === undefined ? 0 : nowNs();
    const byteLength = frameBytes(keyed.length, loaded.length);
    this.makeRoom(byteLength);
    const { segmentId, sizeBytes: offset } = this.active;
    try {
      this.active.append(type, this.nextTxid, keyed, loaded);
    } catch (error) {
      throw this.latch.close('WRITE_FAILED', 'the append', error);
    }
    this.nextTxid++;
    this.probe?.appended?.(type, byteLength, keyed.length + loaded.length, startNs, nowNs() - startNs);
    return { segmentId, offset, byteLength };
  }

  /**
   * Appends many records with few write calls. After a crash all of them are there, or a prefix. `written` is told of
   * each record once the kernel has it, in order: when a write fails in the middle, of those before it only.
   */
  appendAll(appends: readonly Append[], written: (append: Append, ref: RecordRef) => void): void {
    this.checkWritable();
    let staged: { append: Append; ref: RecordRef }[] = [];
    const flush = () => {
      const startNs = this.probe?.appended === undefined ? 0 : nowNs();
      try {
        this.active.flush();
      } catch (error) {
        throw this.latch.close('WRITE_FAILED', 'the append of a batch', error);
      }
      for (const { append, ref } of staged) {
        written(append, ref);
        this.probe?.appended?.(
          append.type,
          ref.byteLength,
          append.key.length + append.payload.length,
          startNs,
          nowNs() - startNs,
        );
      }
      staged = [];
    };
    for (const append of appends) {
      const byteLength = frameBytes(append.key.length, append.payload.length);
      if (this.needsRoom(byteLength)) {
        flush();
        this.makeRoom(byteLength);
      }
      const offset = this.active.sizeBytes + this.active.stagedBytes;
      staged.push({ append, ref: { segmentId: this.active.segmentId, offset, byteLength } });
      try {
        this.active.stage(append.type, this.nextTxid, append.key, append.payload);
      } catch (error) {
        throw this.latch.close('WRITE_FAILED', 'the append of a batch', error);
      }
      this.nextTxid++;
    }
    flush();
  }

  /** The record at `ref`, its checksum verified. Throws `CRC_MISMATCH`, `FRAME_MISMATCH` or `READ_FAILED`. */
  read(ref: RecordRef): LogRecord {
    this.checkOpen();
    return toRecord(Buffer.from(this.reader.read(ref, 'get').subarray(0, ref.byteLength)));
  }

  /** Every record up to the present end, in log order. */
  *scan(): Generator<ScannedRecord> {
    this.checkOpen();
    yield* scanSegments(this.fileSystem, this.directory, this.segmentsNow(), this.probe);
  }

  /**
   * Settles when everything appended before the call survives a power cut. Callers share syncs. Throws
   * `SYNC_FAILED`: what it should have made durable may or may not be, and writing ends.
   */
  async sync(): Promise<void> {
    this.checkWritable();
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
    return {
      segments: this.sealed.length + 1,
      sealedBytes: this.totalBytes - this.active.sizeBytes,
      activeBytes: this.active.sizeBytes,
      openDescriptors:
        this.closing === undefined ? 4 + 2 * this.syncs.sealingCount + this.reader.openDescriptors : 0,
      unsyncedRecords: this.nextTxid - this.syncs.durable.nextTxid,
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
    try {
      if (this.latch.poisonedBy === undefined) await this.syncs.finish();
    } finally {
      await this.syncs.idle();
      this.syncs.closeDescriptors();
      this.active.close();
      await this.reader.close();
      this.opened.mark.close();
      await this.opened.lock.release();
    }
  }

  private segmentsNow(): LogSegment[] {
    return [...this.sealed, { segmentId: this.active.segmentId, sizeBytes: this.active.sizeBytes }];
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

  /** Throws `STORE_CLOSED` after `close`, and `WRITER_POISONED` after a failure to write. */
  checkWritable(): void {
    this.checkOpen();
    this.latch.check();
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
