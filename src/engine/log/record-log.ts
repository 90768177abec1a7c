import { type BytesLike, keyBytes, payloadBytes } from '../format/bytes.ts';
import { RecordType } from '../format/format.ts';
import type { LogRecord, RecordRef } from '../format/frame.ts';
import { checkRecordRef, checkRecordType } from '../format/record-arguments.ts';
import type { StoreError } from '../host/errors.ts';
import { checkOptions } from '../host/options.ts';
import { LOG_OPTIONS, type LogOptions } from '../recovery/log-options.ts';
import type { RecoveryReport } from '../recovery/recovery-report.ts';
import type { ScannedRecord } from '../segment/segment-records.ts';
import type { LogStats } from './log-stats.ts';
import type { LogPosition } from './log-tail.ts';
import { APPEND_KINDS } from './log-writer.ts';
import { OpenLog } from './open-log.ts';

/**
 * The append-only log: frames in numbered segments, one writer. `append` survives the death of the
 * process, `sync` survives a power cut. Any failure to write or sync ends writing until the log is
 * opened again.
 */
export class RecordLog {
  private readonly log: OpenLog;
  readonly directory: string;
  /** What opening found and did. */
  readonly recoveryReport: RecoveryReport;

  private constructor(log: OpenLog) {
    this.log = log;
    this.directory = log.files.directory;
    this.recoveryReport = log.recoveryReport;
  }

  /**
   * Opens or creates the log in `directory`, taking the writer lock.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only),
   * `NOT_A_DIRECTORY`, `PERMISSION_DENIED` or `IO_FAILED`, in each case without having changed a
   * segment.
   */
  static async open(directory: string, options: LogOptions = {}): Promise<RecordLog> {
    checkOptions(options, 'openLog', LOG_OPTIONS);
    return new RecordLog(await OpenLog.open(directory, options));
  }

  /** Where the next record goes. */
  get end(): LogPosition {
    return this.log.tail.end;
  }

  /** Everything before this position is known to be on stable storage. */
  get durableEnd(): LogPosition {
    return this.log.syncs.durable;
  }

  /** The failure that ended writing, or undefined. */
  get poisonedBy(): StoreError | undefined {
    return this.log.poisonedBy;
  }

  /** Bytes of all segments. */
  get totalBytes(): number {
    return this.log.tail.totalBytes;
  }

  /** Appends opaque bytes as a Raw record. Survives the death of the process, not a power cut. */
  append(payload: BytesLike): RecordRef {
    return this.appendRecord(RecordType.Raw, '', payload);
  }

  /** Appends one record with one write call. Survives the death of the process, not a power cut. */
  appendRecord(type: RecordType, key: BytesLike, payload: BytesLike): RecordRef {
    checkRecordType(type);
    const keyOfRecord = keyBytes(key);
    const bytes = payloadBytes(payload);
    this.log.checkWritable(APPEND_KINDS[type]);
    return this.log.writer.append(type, keyOfRecord, bytes);
  }

  /**
   * The record at `ref`, its checksum verified. Throws `CRC_MISMATCH`, `FRAME_MISMATCH` or
   * `READ_FAILED`.
   */
  read(ref: RecordRef): LogRecord {
    checkRecordRef(ref);
    this.log.checkOpen();
    return this.log.reader.readRecord(ref);
  }

  /** Every record up to the present end, in log order. */
  scan(): Generator<ScannedRecord> {
    this.log.checkOpen();
    return this.log.scans.scan(this.log.tail.segments);
  }

  /**
   * Settles when everything appended before the call survives a power cut. Callers share syncs.
   * Throws `SYNC_FAILED`: what it should have made durable may or may not be, and writing ends.
   */
  sync(): Promise<void> {
    return this.log.sync();
  }

  /**
   * Goes on in a new segment. The sync of the one before runs in the background, and its seal is
   * written after it.
   */
  rotate(): void {
    this.log.rotate();
  }

  /**
   * Syncs, and settles when every segment that was sealed before the call has its seal file, or
   * could not be given one: then the next opening reads it as before.
   */
  sealsWritten(): Promise<void> {
    return this.log.sealsWritten();
  }

  /** Counts and bytes of this moment, without touching the disk. */
  stats(): LogStats {
    return this.log.stats();
  }

  /**
   * Syncs, marks the log as closed in order, and gives everything back. A poisoned log is only
   * given back. Always releases its descriptors and the lock, also when it throws. Calling it again
   * waits for the first call.
   */
  close(): Promise<void> {
    return this.log.close();
  }
}
