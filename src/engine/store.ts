import { resolve } from 'node:path';
import { type BytesLike, payloadBytes } from './format/bytes.ts';
import { checksumName } from './format/crc32c.ts';
import { RecordType } from './format/format.ts';
import { frameBytes, type RecordRef } from './format/frame.ts';
import type { StoreError } from './host/errors.ts';
import type { FileSystem } from './host/file-system.ts';
import { limitsOf } from './host/limits.ts';
import {
  batchChannel,
  compactChannel,
  deleteChannel,
  putChannel,
  syncChannel,
} from './host/operation-channels.ts';
import { checkOptions, checkPath, checkSignal, kindOf } from './host/options.ts';
import { Keydir } from './keydir/keydir.ts';
import type { LogStats } from './log/log-stats.ts';
import type { LogPosition } from './log/log-tail.ts';
import type { Append } from './log/log-writer.ts';
import { OpenLog } from './log/open-log.ts';
import {
  type AutoCompactionOptions,
  type CompactionReport,
  type CompactOptions,
  checkAuto,
  MergeScheduler,
} from './merge/merge-scheduler.ts';
import { KeyValueView } from './read/key-value-view.ts';
import { LOG_OPTIONS, type LogOptions } from './recovery/log-options.ts';
import type { RecoveryReport } from './recovery/recovery-report.ts';
import type { ScannedRecord } from './segment/segment-records.ts';
import { type BackupOptions, type BackupReport, backup } from './upkeep/backup.ts';
import { compactTo } from './upkeep/compact-to.ts';
import { type ImportOptions, importJsonl } from './upkeep/import.ts';
import { verify } from './upkeep/verify.ts';
import type { VerifyOptions } from './upkeep/verify-pace.ts';
import type { VerifyReport } from './upkeep/verify-report.ts';

export interface StoreOptions extends LogOptions {
  /**
   * Merges by itself, in the background, whenever a segment has been sealed. Default: only when
   * `compact` is called.
   */
  readonly compaction?: { readonly auto: AutoCompactionOptions };
}

/** One operation of a batch, in the form of abstract-level. */
export type BatchOperation =
  | { readonly type: 'put'; readonly key: BytesLike; readonly value: BytesLike }
  | { readonly type: 'del'; readonly key: BytesLike };

export interface StoreStats extends LogStats {
  readonly keys: number;
  /** Memory of the keydir, outside the V8 heap. */
  readonly keydirBytes: number;
  /** Bytes of the frames of live keys; the rest of the segments is garbage. */
  readonly liveBytes: number;
  /** Which CRC-32C implementation this process uses. */
  readonly checksum: string;
}

const NO_BYTES = new Uint8Array(0);
const STORE_OPTIONS = [...LOG_OPTIONS, 'compaction'] as const;

/**
 * A key-value view over the log. Reads and writes are synchronous: a get is one pread, a put one
 * write call. Durability is named by what survives: `put` and `delete` survive the death of this
 * process, `sync` and `putDurable` a power cut. Open one with `openStore`.
 */
export class Store extends KeyValueView {
  private readonly log: OpenLog;
  private readonly merges: MergeScheduler;
  /** What whoever waits for a sync also waits for. */
  private readonly relief: (() => Promise<void>) | undefined;

  private constructor(log: OpenLog, keydir: Keydir, auto: AutoCompactionOptions | undefined) {
    super(keydir, log.reader, log.probe, log.files.directory);
    this.log = log;
    this.merges = new MergeScheduler(log, keydir, auto);
    this.relief = auto === undefined ? undefined : () => this.merges.waitWhileOutrun();
  }

  /**
   * Opens the store in `directory`, creating it when there is none, and takes the writer lock.
   *
   * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`, `TORN_TAIL` (strict only),
   * `NOT_A_DIRECTORY`, `PERMISSION_DENIED` or `IO_FAILED`.
   */
  static async open(directory: string, options: StoreOptions = {}): Promise<Store> {
    checkOptions(options, 'openStore', STORE_OPTIONS);
    const auto = checkAuto(options.compaction);
    const keydir = new Keydir(undefined, limitsOf(options).shardWords);
    return new Store(await OpenLog.open(directory, options, keydir), keydir, auto);
  }

  /** What opening found and did. */
  get recoveryReport(): RecoveryReport {
    return this.log.recoveryReport;
  }

  /** Where the next record goes. */
  get end(): LogPosition {
    return this.log.tail.end;
  }

  /** Everything before this position is known to survive a power cut. */
  get durableEnd(): LogPosition {
    return this.log.syncs.durable;
  }

  /** Every record of the log up to its present end, Raw ones included. */
  scan(): Generator<ScannedRecord> {
    this.checkOpen();
    return this.log.scans.scan(this.log.tail.segments);
  }

  /** The failure that ended writing, or undefined. Reads go on; reopen to write again. */
  get poisoned(): StoreError | undefined {
    return this.log.poisonedBy;
  }

  /** Survives the death of this process, not a power cut. */
  put(key: BytesLike, value: BytesLike): RecordRef {
    if (putChannel.hasSubscribers)
      return putChannel.traceSync(this.putNow, this.message(), this, key, value);
    return this.putNow(key, value);
  }

  private putNow(key: BytesLike, value: BytesLike): RecordRef {
    const keyOfRecord = this.ownKey(key);
    const payload = payloadBytes(value);
    this.log.checkWritable('put');
    this.keydir.prepare(keyOfRecord, 0, keyOfRecord.length);
    const ref = this.log.writer.append(RecordType.Put, keyOfRecord, payload);
    this.keydir.commit(keyOfRecord, 0, keyOfRecord.length, ref);
    return ref;
  }

  /**
   * Records the deletion, of an absent key too. Was the key live? Survives the death of this
   * process.
   */
  delete(key: BytesLike): boolean {
    if (deleteChannel.hasSubscribers)
      return deleteChannel.traceSync(this.deleteNow, this.message(), this, key);
    return this.deleteNow(key);
  }

  private deleteNow(key: BytesLike): boolean {
    const keyOfRecord = this.ownKey(key);
    this.log.checkWritable('delete');
    const ref = this.log.writer.append(RecordType.Delete, keyOfRecord, NO_BYTES);
    return this.keydir.delete(keyOfRecord, ref);
  }

  /**
   * Writes many operations with few write calls. After a crash all of them are there, or a prefix:
   * not atomic. Every operation is checked before the first is written. Survives the death of this
   * process, not a power cut.
   */
  batch(operations: readonly BatchOperation[]): void {
    if (batchChannel.hasSubscribers)
      batchChannel.traceSync(this.batchNow, this.message(), this, operations);
    else this.batchNow(operations);
  }

  private batchNow(operations: readonly BatchOperation[]): void {
    if (!Array.isArray(operations))
      throw new TypeError(`batch takes an array of operations, not ${kindOf(operations)}`);
    // All of them are read, once each, before anything is done for the first.
    const appends = Array.from(operations, (operation, index) => this.toAppend(operation, index));
    this.log.checkWritable('batch');
    this.keydir.reserve(appends.map(({ key }) => key));
    let index = 0;
    this.log.writer.appendAll(appends, ({ type, key }, ref) => {
      if (type === RecordType.Put) this.keydir.setReserved(index, key, ref);
      else this.keydir.delete(key, ref);
      index++;
    });
  }

  private toAppend(operation: BatchOperation, index: number): Append {
    if (typeof operation !== 'object' || operation === null)
      throw new TypeError(
        `operation ${index} of a batch must be an object, not ${kindOf(operation)}`,
      );
    const { type } = operation;
    if (type !== 'put' && type !== 'del') {
      throw new TypeError(
        `operation ${index} of a batch must have the type 'put' or 'del', not ${JSON.stringify(type)}`,
      );
    }
    const key = this.ownKey(operation.key);
    const payload =
      type === 'put' ? payloadBytes((operation as { value: BytesLike }).value) : NO_BYTES;
    return {
      type: type === 'put' ? RecordType.Put : RecordType.Delete,
      key,
      payload,
      byteLength: frameBytes(key.length, payload.length),
    };
  }

  /**
   * Settles when everything written before the call survives a power cut. Concurrent callers share
   * one sync.
   */
  sync(): Promise<void> {
    if (!syncChannel.hasSubscribers) return this.syncNow();
    return syncChannel.tracePromise(() => this.syncNow(), this.message());
  }

  private syncNow(): Promise<void> {
    return this.log.sync(this.relief);
  }

  /** `put`, then `sync`. Survives a power cut once settled. */
  async putDurable(key: BytesLike, value: BytesLike): Promise<RecordRef> {
    const ref = this.put(key, value);
    await this.sync();
    return ref;
  }

  /** Seals the active segment and goes on in a new one. */
  rotate(): void {
    this.log.rotate();
  }

  /**
   * Syncs, and settles when every segment that was sealed before the call has its seal file, so
   * that the next opening need not read it. One that cannot be given a seal is not waited for:
   * nothing but the time of that opening depends on it.
   */
  sealsWritten(): Promise<void> {
    return this.log.sealsWritten();
  }

  /**
   * Merges the segments that were sealed when it began, each at most once, until none is worth it,
   * while reads and writes go on (the active one is sealed first where it is worth it). Segments
   * sealed meanwhile are left to the next call. The garbage of overwritten and deleted keys goes,
   * and what counts keeps its place in the order of the log. A `RecordRef` from before may lead
   * nowhere afterwards: reading it is a typed error. Throws `CRC_MISMATCH` or `FRAME_MISMATCH` for
   * damage met, which it leaves alone, `NO_SPACE`, or the reason of `signal`.
   */
  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    this.log.checkWritable('compact');
    const run = () => this.merges.compact(options);
    return compactChannel.hasSubscribers ? compactChannel.tracePromise(run, this.message()) : run();
  }

  /**
   * Writes the live keys, in byte order and with txids from 1, into a new store in `outDirectory`,
   * durably. Throws `TARGET_NOT_EMPTY` when something is there, or the reason of `signal`, having
   * left nothing behind. This store is not changed.
   */
  async compactTo(
    outDirectory: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    this.checkOpen();
    checkPath(outDirectory, 'the target directory');
    const { signal } = checkOptions(options, 'compactTo', ['signal']);
    checkSignal(signal);
    signal?.throwIfAborted();
    const pairs = (operation: number) => this.sortedPairs('compact', operation);
    const run = () => compactTo(this.log, pairs, outDirectory, signal);
    await (compactChannel.hasSubscribers
      ? compactChannel.tracePromise(run, this.message())
      : run());
  }

  /**
   * Puts every line of what `exportJsonl` writes, then syncs. Returns how many. Of two lines with
   * one key the later counts. A malformed line throws `IMPORT_MALFORMED` with its number before
   * anything is written; so does one with a field twice, or with any other field: nothing is left
   * out without a word. Empty lines, and a byte-order mark in front, mean nothing. Rejects with the
   * reason of `signal`; what was put until then stays.
   */
  async importJsonl(path: string, options: ImportOptions = {}): Promise<number> {
    this.checkOpen();
    checkPath(path, 'the file to import');
    const { signal } = checkOptions(options, 'importJsonl', ['signal']);
    checkSignal(signal);
    return importJsonl(
      this.log.files.fileSystem,
      path,
      (operations) => this.batch(operations),
      () => this.sync(),
      signal,
    );
  }

  /**
   * Reads every byte of every segment up to the present end, and checks the checksum of every
   * record, the seals, and the keydir against the records. Goes on behind damage, and reports it
   * all. Runs in slices beside reads and writes; merges wait. Rejects only for what keeps it from
   * looking (`STORE_CLOSED`, `IO_FAILED`), or with the reason of `signal`.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport> {
    const { log, keydir } = this;
    const { files, storeId, probe } = log;
    const segments = () => log.tail.segments;
    const { closed } = log;
    const checkOpen = () => log.checkOpen();
    const source = { files, storeId, keydir, probe, segments, checkOpen, closed };
    return log.exclusively(() => verify(source, options));
  }

  /**
   * A consistent copy of the store as it is now, in another directory, made while reading and
   * writing go on; opened as any store. On the same device sealed segments are hard links, which
   * take no room; elsewhere, and of the active segment always, they are copies. A target that holds
   * an earlier backup of this store gets only what is new. Survives a power cut once settled; one
   * that does not end leaves a target that refuses to open (`BACKUP_UNFINISHED`) until it is run
   * again. A backup that was opened for writing is a store of its own and no target any more.
   *
   * Throws `TARGET_NOT_EMPTY` (nothing was changed), `NOT_A_DIRECTORY`, `PERMISSION_DENIED`,
   * `STORE_CORRUPT`, `SNAPSHOT_GONE`, `SYNC_FAILED` or `IO_FAILED`, or the reason of `signal`.
   */
  async backup(directory: string, options: BackupOptions = {}): Promise<BackupReport> {
    const target = resolve(checkPath(directory, 'the target directory'));
    const { signal } = checkOptions(options, 'backup', ['signal']);
    checkSignal(signal);
    signal?.throwIfAborted();
    // One after the other: two into the same target would not notice each other, and a merge would
    // take away what is copied.
    return this.log.exclusively(() => backup(this.log, target, signal));
  }

  /** Counts and bytes of this moment, without touching the disk. */
  stats(): StoreStats {
    return {
      ...this.log.stats(),
      keys: this.keydir.size,
      keydirBytes: this.keydir.sizeBytes,
      liveBytes: this.keydir.liveBytes,

      checksum: checksumName(),
    };
  }

  /** Syncs, marks the store as closed in order, and releases it. */
  close(): Promise<void> {
    return this.log.close();
  }

  protected override get fileSystem(): FileSystem {
    return this.log.files.fileSystem;
  }

  protected override checkOpen(): void {
    this.log.checkOpen();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
