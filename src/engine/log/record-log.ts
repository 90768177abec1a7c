import { type BytesLike, copyOf, keyBytes, payloadBytes } from '../format/bytes.ts';
import {
  FRAME_OVERHEAD_BYTES,
  MAX_FRAME_BYTES,
  MAX_RECORD_TYPE,
  MAX_SEGMENT_ID,
  RecordType,
} from '../format/format.ts';
import { type LogRecord, type RecordRef, recordIn, viewOf } from '../format/frame.ts';
import type { StoreError } from '../host/errors.ts';
import { checkInteger, checkOptions, kindOf } from '../host/options.ts';
import { partDuration, partStart } from '../host/probe-set.ts';
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
    if (!Number.isInteger(type) || type < 0 || type > MAX_RECORD_TYPE)
      throw new RangeError(
        `a record type must be an integer from 0 to ${MAX_RECORD_TYPE}, not ${type}`,
      );
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
    const { probe, reader } = this.log;
    checkRef(ref);
    this.log.checkOpen();
    const operation = probe?.begin('get') ?? 0;
    const startNs = partStart(operation);
    let failure: unknown;
    try {
      const bytes = reader.read(reader.files.frameOf(ref), 'get', operation);
      const record = recordIn(bytes, viewOf(bytes), reader.frameAt, ref.byteLength);
      // Key and payload are two values: one may be transferred without the other.
      return { ...record, key: copyOf(record.key) };
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const error = failure as StoreError | undefined;
      const durationNs = partDuration(operation, startNs);
      probe?.got(operation, error === undefined, startNs, durationNs, error);
    }
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
   * Seals the active segment and goes on in a new one. The sync of the sealed one runs in the
   * background.
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

/** A place that a record can have. Whether one stands there, the read finds out. */
function checkRef(ref: RecordRef): void {
  if (typeof ref !== 'object' || ref === null)
    throw new TypeError(`a ref must be an object, not ${kindOf(ref)}`);
  checkInteger('segmentId of the ref', ref.segmentId, 1, MAX_SEGMENT_ID);
  checkInteger('offset of the ref', ref.offset, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('byteLength of the ref', ref.byteLength, FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES);
}
