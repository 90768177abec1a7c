import { basename, resolve } from 'node:path';
import { type BytesLike, keyBytes, payloadBytes } from '../format/bytes.ts';
import { CRC_BYTES, HEADER_BYTES, MAX_RECORD_TYPE, RecordType } from '../format/format.ts';
import {
  headerKeyLength,
  headerTxid,
  headerType,
  type LogRecord,
  type RecordRef,
  viewOf,
} from '../format/frame.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { PoisonLatch } from '../host/poison-latch.ts';
import { nowNs, type ProbeGauges, type RefusedKind } from '../host/probe.ts';
import { ProbeSet, partDuration, partStart } from '../host/probe-set.ts';
import {
  type LogView,
  type OpenedLog,
  type OpeningOptions,
  openForWriting,
} from '../recovery/log-opening.ts';
import { type LogOptions, resolveLogOptions } from '../recovery/log-options.ts';
import type { RecoveryReport } from '../recovery/recovery-report.ts';
import type { Seal } from '../seal/seal-file.ts';
import { SegmentFiles } from '../segment/segment-files.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { SegmentReader } from '../segment/segment-reader.ts';
import type { ScannedRecord } from '../segment/segment-records.ts';
import { LogScans } from './log-scans.ts';
import { countLog, type LogStats } from './log-stats.ts';
import { type LogPosition, LogSync } from './log-sync.ts';
import { APPEND_KINDS, type Append, LogWriter } from './log-writer.ts';
import { type PreparedMerge, publishMerge } from './merge-publication.ts';
import type { BackupSource, ScrubSource } from './scrub-source.ts';
import { SegmentSealer } from './segment-sealer.ts';

/**
 * The append-only log: frames in numbered segments, one writer. `append` survives the death of the
 * process, `sync` survives a power cut. Any failure to write or sync ends writing until the log is
 * opened again.
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
  private readonly writer: LogWriter;
  private readonly sealer: SegmentSealer;
  private readonly scans: LogScans;
  /** Files that a merge holds open. */
  mergeDescriptors = 0;
  /** Told when a seal file was written. */
  onSealWritten: () => void = () => {};
  private held: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  private constructor(options: OpeningOptions, latch: PoisonLatch, opened: OpenedLog) {
    const { fileSystem, directory, probe, view } = options;
    const { segmentBytes, descriptorPoolSize } = options.resolved;
    const { mark, holdings, merged, lock, storeId, seals, nextTxid, active } = opened;
    this.directory = directory;
    this.recoveryReport = opened.report;
    this.fileSystem = fileSystem;
    this.segmentBytes = segmentBytes;
    this.probe = probe;
    this.latch = latch;
    this.opened = opened;
    const files = view?.files ?? new SegmentFiles();
    this.reader = new SegmentReader(fileSystem, directory, files, descriptorPoolSize, probe);
    this.scans = new LogScans(fileSystem, directory, probe);
    this.syncs = new LogSync({
      fileSystem,
      directory,
      mark,
      holdings,
      lock,
      latch,
      probe,
      start: { segmentId: active.segmentId, offset: active.sizeBytes, nextTxid },
      end: () => this.end,
      active: () => this.writer.active,
      onSealed: (segmentId, sizeBytes) => this.sealer.add({ segmentId, sizeBytes }),
    });
    const sealed = opened.segments.slice(0, -1);
    const { syncs } = this;
    this.writer = new LogWriter({
      directory,
      segmentBytes,
      latch,
      syncs,
      probe,
      sealed,
      active,
      nextTxid,
    });
    const lowestId = (opened.segments[0] as LogSegment).segmentId;
    this.sealer = new SegmentSealer(
      {
        fileSystem,
        directory,
        storeId,
        latch,
        probe,
        seals,
        merged,
        lowestId,
        onWritten: () => this.onSealWritten(),
      },
      sealed,
    );
    this.sealer.start();
  }

  /**
   * Opens or creates the log in `directory`, taking the writer lock. `view` is given every record
   * that is kept.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only),
   * `NOT_A_DIRECTORY`, `PERMISSION_DENIED` or `IO_FAILED`, in each case without having changed a
   * segment.
   */
  static async open(
    directory: string,
    options: LogOptions = {},
    view?: LogView,
  ): Promise<RecordLog> {
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
      view,
      onOpenProgress: options.onOpenProgress,
      onLeaseLost: (error, fatal) => {
        probe?.leaseLost?.(fatal);
        if (fatal) latch.close('SYNC_FAILED', 'keeping the writer lock', error);
      },
    };
    const startNs = probe === undefined ? 0 : nowNs();
    try {
      log = new RecordLog(opening, latch, await openForWriting(opening));
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
    probe?.opened?.(
      opening.operation,
      outcome,
      truncatedBytes,
      startNs,
      nowNs() - startNs,
      undefined,
    );
    return log;
  }

  /** Where the next record goes. */
  get end(): LogPosition {
    return this.writer.end;
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
      throw new RangeError(
        `a record type must be an integer from 0 to ${MAX_RECORD_TYPE}, not ${type}`,
      );
    }
    const keyed = keyBytes(key);
    const loaded = payloadBytes(payload);
    this.checkWritable(APPEND_KINDS[type]);
    return this.writer.append(type, keyed, loaded);
  }

  /**
   * Appends many records with few write calls. After a crash all of them are there, or a prefix.
   * `written` is told of each record once the kernel has it, in order: when a write fails in the
   * middle, of those before it only.
   */
  appendAll(appends: readonly Append[], written: (append: Append, ref: RecordRef) => void): void {
    this.checkWritable('batch');
    this.writer.appendAll(appends, written);
  }

  /**
   * The record at `ref`, its checksum verified. Throws `CRC_MISMATCH`, `FRAME_MISMATCH` or
   * `READ_FAILED`.
   */
  read(ref: RecordRef): LogRecord {
    this.checkOpen();
    const { probe } = this;
    const operation = probe?.begin('get') ?? 0;
    const startNs = partStart(operation);
    let failure: unknown;
    try {
      const frame = this.reader.read(this.reader.files.frameOf(ref), 'get', operation);
      const { frameAt } = this.reader;
      return toRecord(frame.subarray(frameAt, frameAt + ref.byteLength));
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const error = failure as StoreError | undefined;
      probe?.got?.(
        operation,
        error === undefined,
        startNs,
        partDuration(operation, startNs),
        error,
      );
    }
  }

  /** Every record up to the present end, in log order. */
  scan(): Generator<ScannedRecord> {
    this.checkOpen();
    return this.scans.scan(this.writer.segments);
  }

  /** Segments that are final, ascending, each with its seal where it has one. */
  sealedSegments(): (LogSegment & { readonly seal: Seal | undefined })[] {
    return this.writer.sealed.map((segment) => ({ ...segment, seal: this.sealer.sealOf(segment) }));
  }

  /** What whoever reads the files of the log in slices, while it is written, goes by. */
  scrubSource(): ScrubSource {
    const { fileSystem, directory, probe } = this;
    return {
      fileSystem,
      directory,
      probe,
      segments: () => this.writer.segments,
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
    const { storeId, holdings } = this.opened;
    return { ...this.scrubSource(), storeId, holdings, sync };
  }

  /**
   * Puts the output of a merge in the place of a run of sealed segments; see merge-publication.ts.
   * `check` throws where the merge is to end early.
   */
  publish(merge: PreparedMerge, check: () => void): Promise<void> {
    const { fileSystem, directory, latch, syncs, reader, sealer } = this;
    return publishMerge(
      {
        fileSystem,
        directory,
        latch,
        syncs,
        holdings: this.opened.holdings,
        reader,
        sealer,
        check,
        scans: this.scans,
        replaced: (segments) => this.writer.replace(segments),
      },
      merge,
    );
  }

  /** A close waits for this to settle; it is to end soon, and reads `checkOpen` for it. */
  holdClosing(work: Promise<unknown>): void {
    this.held = work;
  }

  /**
   * Syncs, and settles when every segment that was sealed before the call has its seal file, or
   * could not be given one: then the next opening reads it as before. `check` is called now and
   * then, and throws where it is to end early.
   */
  async sealsWritten(check: () => void = () => {}): Promise<void> {
    const throughId = this.end.segmentId - 1;
    await this.sync();
    await this.sealer.written(throughId, check);
    this.latch.check();
  }

  get storeId(): Buffer {
    return this.opened.storeId;
  }

  /**
   * Settles when everything appended before the call survives a power cut. Callers share syncs.
   * Throws `SYNC_FAILED`: what it should have made durable may or may not be, and writing ends.
   */
  async sync(): Promise<void> {
    this.checkWritable('sync');
    await this.syncs.sync();
  }

  /**
   * Seals the active segment and goes on in a new one. The sync of the sealed one runs in the
   * background.
   */
  rotate(): void {
    this.checkWritable('rotate');
    this.writer.rotate();
  }

  /** Bytes of all segments. */
  get totalBytes(): number {
    return this.writer.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  stats(): LogStats {
    const { writer, syncs, sealer, reader, scans, mergeDescriptors, probe } = this;
    return countLog(
      { writer, syncs, sealer, reader, scans, mergeDescriptors, probe },
      this.closing !== undefined,
    );
  }

  /**
   * Syncs, marks the log as closed in order, and gives everything back. A poisoned log is only
   * given back. Always releases its descriptors and the lock, also when it throws. Calling it again
   * waits for the first call.
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
      this.writer.active.close();
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

  /** Throws `STORE_CLOSED` after `close`. */
  checkOpen(): void {
    if (this.closing !== undefined) {
      throw new StoreError('STORE_CLOSED', `${this.directory} was closed`, {
        path: this.directory,
      });
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
    if (operation !== undefined) this.probe?.refused?.(operation, refusal);
    throw refusal;
  }
}

function toRecord(frame: Buffer): LogRecord {
  const view = viewOf(frame);
  const payloadAt = HEADER_BYTES + headerKeyLength(view, 0);
  return {
    type: headerType(view, 0),
    txid: headerTxid(view, 0),
    key: frame.subarray(HEADER_BYTES, payloadAt),
    payload: frame.subarray(payloadAt, frame.length - CRC_BYTES),
  };
}
