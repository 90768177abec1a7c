import { basename, join, resolve } from 'node:path';
import { checksumName } from '../format/crc32c.ts';
import { MAX_SEGMENT_ID } from '../format/format.ts';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { GuardedFileSystem } from '../host/guarded-file-system.ts';
import { HeldDirectory } from '../host/held-directory.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { observed } from '../host/observation.ts';
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  checkPath,
  checkSignal,
  MAX_TIMER_MS,
} from '../host/options.ts';
import type { ProbeGauges } from '../host/probe.ts';
import { ProbeSet } from '../host/probe-set.ts';
import type { OperationResults } from '../host/store-event.ts';
import { StoreFiles } from '../host/store-files.ts';
import { refuseUnfinishedBackup } from '../lock/backup-marker.ts';
import { LOCK_FILE } from '../lock/writer-lock.ts';
import { type LogOptions, resolveLogOptions } from '../recovery/log-options.ts';
import type { SnapshotReport } from '../recovery/recovery-report.ts';
import { SegmentReader } from '../segment/segment-reader.ts';
import { type ScannedRecord, scanSegments } from '../segment/segment-records.ts';
import { verify } from '../upkeep/verify.ts';
import type { VerifyOptions } from '../upkeep/verify-pace.ts';
import type { VerifyReport } from '../upkeep/verify-report.ts';
import { Feed, type FollowOptions } from './follow.ts';
import { KeyValueView } from './key-value-view.ts';
import {
  asStoreError,
  checkIdentity,
  type Snapshot,
  type SnapshotOptions,
  type SnapshotSegment,
  takeSnapshot,
} from './reader-snapshot.ts';
import { SnapshotTail } from './snapshot-tail.ts';

export type ReaderOptions = Pick<
  LogOptions,
  'name' | 'open' | 'descriptorPoolSize' | 'onOpenProgress' | 'probe' | 'fileSystem'
> & {
  /**
   * False: for whoever wants the records and not the keys. Sealed segments are then opened without
   * reading their hints, and no keydir is built; `size` is 0, and everything but `scan`, `follow`,
   * `lastTxid` and `close` throws a `TypeError`. Default true.
   */
  readonly keys?: boolean;
};

const READER_OPTIONS = [
  'name',
  'open',
  'descriptorPoolSize',
  'onOpenProgress',
  'probe',
  'fileSystem',
  'keys',
] as const satisfies readonly (keyof ReaderOptions)[];

/** What a reader goes by, for life. */
interface ReaderSetup {
  /** Reads from no other directory. */
  readonly fileSystem: FileSystem;
  /** The same without a detour, for what is looked at in another way when it is opened. */
  readonly plain: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  readonly descriptorPoolSize: number;
  readonly full: boolean;
  readonly keys: boolean;
}

/**
 * Reads a store without the lock, beside a writer in this or another process. It sees what was
 * there when it was opened or last refreshed, and changes nothing on disk. The unfinished end of a
 * live log is in flight, not damage.
 */
export class StoreReader extends KeyValueView {
  private readonly setup: ReaderSetup;
  private snapshot: Snapshot;
  private reader: SegmentReader;
  private refreshing: Promise<void> | undefined;
  private closed = false;
  private readonly closeController = new AbortController();
  /** What ends each follower. */
  private readonly followers = new Set<(reason: StoreError) => void>();

  private constructor(setup: ReaderSetup, snapshot: Snapshot) {
    const reader = readerOf(setup, snapshot);
    super(snapshot.keydir, reader, setup.probe, setup.directory);
    this.setup = setup;
    this.snapshot = snapshot;
    this.reader = reader;
  }

  /**
   * Throws `NOT_FOUND`, `NOT_A_DIRECTORY`, `PERMISSION_DENIED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL`,
   * `BACKUP_UNFINISHED`, or `SNAPSHOT_GONE` when segments were merged faster than they could be
   * read. Links are followed once, here; when the directory is moved or replaced, later reads of
   * files that are not open yet throw `STORE_MOVED`.
   */
  static async open(path: string, options: ReaderOptions = {}): Promise<StoreReader> {
    checkPath(path, 'the directory of a store');
    checkOptions(options, 'openReader', READER_OPTIONS);
    const { descriptorPoolSize } = resolveLogOptions(options);
    const { keys = true } = options;
    checkBoolean('keys', keys);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probe = ProbeSet.of(options.probe);
    const asked = resolve(path);
    const full = options.open === 'full';
    let opened: StoreReader | undefined;
    probe?.attach({
      name: options.name ?? basename(asked),
      directory: asked,
      checksum: checksumName(),
      gauges: () => opened?.gauges(),
    });
    try {
      const setup = {
        ...heldForReading(fileSystem, asked),
        probe,
        descriptorPoolSize,
        full,
        keys,
      };
      opened = new StoreReader(setup, await readSnapshot(setup, options.onOpenProgress));
      return opened;
    } catch (error) {
      probe?.detach(error as StoreError);
      throw error;
    }
  }

  /** The last txid of the snapshot; 0 when there is no record. */
  get lastTxid(): number {
    return this.snapshot.lastTxid;
  }

  /** What the opening found, or the last refresh that had to read the whole store again. */
  get recoveryReport(): SnapshotReport {
    return this.snapshot.report;
  }

  /**
   * Every record of the snapshot, in log order; with `fromSegmentId` those of that segment and of
   * later ones.
   */
  scan(fromSegmentId = 0): Generator<ScannedRecord> {
    checkInteger('fromSegmentId', fromSegmentId, 0, MAX_SEGMENT_ID);
    this.checkNotClosed();
    const { fileSystem, directory, probe } = this.setup;
    const segments = [...this.snapshot.segments.values()].filter(
      ({ segmentId }) => segmentId >= fromSegmentId,
    );
    return scanSegments(new StoreFiles(fileSystem, directory), segments, probe);
  }

  /**
   * Takes up what was written since. Reads only what is new, in log order, so that reads meanwhile
   * see some state in between; where a merge has replaced what was read, it reads the seals and
   * whatever has none again. Concurrent calls share one. Throws as `open` does, and leaves the
   * reader as far as it came.
   */
  refresh(): Promise<void> {
    this.refreshing ??= this.takeUp().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /**
   * Every record from one txid on, in log order, each once, and then those that are appended, as
   * they are pulled; waits for more at the end, for ever, looking every `pollIntervalMs`. It goes
   * by the log itself: the reader's snapshot only says where it begins by default. Raw records and
   * Deletes come too; records may be appended and not yet synced.
   *
   * Throws `SNAPSHOT_GONE` with `firstTxid` and `lastTxid` when a merge has left out records that
   * were still to come (or when that cannot be ruled out, where an opening had left out txids in
   * the range), with `firstTxid` alone when the files that it reads were replaced by others or cut
   * back, `CRC_MISMATCH` or `FRAME_MISMATCH` for damage, and the reason of `signal`. `return` and
   * `throw` end it at once, be it idle; so does `close` of the reader, with `STORE_CLOSED`.
   */
  follow(options: FollowOptions = {}): AsyncIterableIterator<ScannedRecord> {
    checkOptions(options, 'follow', ['fromTxid', 'pollIntervalMs', 'signal']);
    const { fromTxid = this.lastTxid + 1, pollIntervalMs, signal } = options;
    checkInteger('fromTxid', fromTxid, 1, Number.MAX_SAFE_INTEGER);
    if (pollIntervalMs !== undefined)
      checkNumber('pollIntervalMs', pollIntervalMs, 1, MAX_TIMER_MS);
    checkSignal(signal);
    this.checkNotClosed();
    const { fileSystem, directory, probe } = this.setup;
    const checkOpen = () => this.checkNotClosed();
    const onClose = (end: (reason: StoreError) => void) => {
      this.followers.add(end);
      return () => this.followers.delete(end);
    };
    return new Feed({ fileSystem, directory, probe, checkOpen, onClose }, fromTxid, options);
  }

  /**
   * Does what `Store.verify` does, for this snapshot. Throws `SNAPSHOT_GONE` when a segment of it
   * was replaced or removed: by a merge, or by an opening behind one.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport> {
    const { fileSystem, directory, probe } = this.setup;
    const { keydir, segments, storeId } = this.snapshot;
    return verify(
      {
        files: new StoreFiles(fileSystem, directory),
        storeId,
        keydir,
        probe,
        segments: () => [...segments.values()],
        checkOpened: (segmentId, stat) =>
          checkIdentity(segments.get(segmentId) as SnapshotSegment, stat),
        checkOpen: () => this.checkOpen(),
        closed: this.closeController.signal,
      },
      options,
    );
  }

  /**
   * Closes its files and those of its followers, when a refresh that is running has ended. A second
   * call does nothing.
   */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.closeController.abort();
    for (const end of this.followers) end(this.closedError());
    await this.refreshing?.catch(() => {});
    await this.reader.close();
    this.setup.probe?.detach();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async takeUp(): Promise<void> {
    this.checkOpen();
    if (await this.append()) return;
    const ending = { checkOpen: () => this.checkOpen(), closed: this.closeController.signal };
    const snapshot = await readSnapshot(this.setup, undefined, ending);
    const before = this.reader;
    this.snapshot = snapshot;
    this.reader = readerOf(this.setup, snapshot);
    this.adopt(snapshot.keydir, this.reader);
    await before.close();
  }

  /**
   * Reads on behind the snapshot; false when what it stands on, or what follows, is not what it
   * was.
   */
  private async append(): Promise<boolean> {
    const { directory, probe } = this.setup;
    const result = { records: 0 };
    const work = async (operation: number) => {
      const tail = new SnapshotTail(this.setup, this.snapshot, operation, () => this.checkOpen());
      try {
        return await tail.append();
      } finally {
        result.records = tail.records;
      }
    };
    try {
      return await observed(probe, 'scan', result, work, (error) =>
        wrapSystemError(error, 'read the store', directory),
      );
    } catch (error) {
      // Something was replaced while it was read: the whole of it will tell whether anything is
      // wrong.
      if ((error as StoreError).code !== 'STORE_CLOSED') return false;
      throw error;
    }
  }

  private gauges(): ProbeGauges {
    const segments = [...this.snapshot.segments.values()];
    return {
      keys: this.keydir.size,
      keydirBytes: this.keydir.sizeBytes,
      liveBytes: this.keydir.liveBytes,
      ...this.reader.poolStats,
      openDescriptors: this.reader.poolStats.pooledDescriptors,
      poisoned: false,
      kernelLock: undefined,
      sealedSegments: segments.length - 1,
      segmentBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      unsyncedBytes: 0,
      unsyncedRecords: 0,
      syncWaiters: 0,
      lastSyncedAtMs: undefined,
      probeErrors: this.setup.probe?.errors ?? 0,
    };
  }

  protected override get fileSystem(): FileSystem {
    return this.setup.fileSystem;
  }

  protected override checkOpen(): void {
    this.checkNotClosed();
    if (!this.setup.keys)
      throw new TypeError(
        'this reader was opened with keys: false; it can scan and follow, and nothing else',
      );
  }

  private checkNotClosed(): void {
    this.setup.probe?.checkNotTelling();
    if (this.closed) throw this.closedError();
  }

  private closedError(): StoreError {
    const { directory: path } = this;
    return new StoreError('STORE_CLOSED', `${path} was closed`, { path });
  }
}

async function readSnapshot(
  setup: ReaderSetup,
  onProgress: LogOptions['onOpenProgress'],
  ending: Pick<SnapshotOptions, 'checkOpen' | 'closed'> = {},
): Promise<Snapshot> {
  const { probe, fileSystem, directory } = setup;
  const result: OperationResults['open'] = { outcome: 'failed', truncatedBytes: 0 };
  const work = async (operation: number) => {
    refuseUnfinishedBackup(fileSystem, directory);
    const snapshot = await takeSnapshot({ ...setup, ...ending, operation, onProgress });
    result.outcome = 'snapshot';
    return snapshot;
  };
  return observed(probe, 'open', result, work, (error) =>
    wrapSystemError(error, 'read the store', directory),
  );
}

function readerOf(
  { plain, directory, descriptorPoolSize, probe }: ReaderSetup,
  { segments, keydir }: Snapshot,
): SegmentReader {
  return new SegmentReader(
    plain,
    directory,
    keydir.files,
    descriptorPoolSize,
    probe,
    (segmentId, descriptor) =>
      checkIdentity(segments.get(segmentId) as SnapshotSegment, plain.statDescriptor(descriptor)),
  );
}

/** The directory that the path leads to now, and a file system that reads from no other. */
function heldForReading(
  plain: FileSystem,
  asked: string,
): Pick<ReaderSetup, 'fileSystem' | 'plain' | 'directory'> {
  try {
    const directory = plain.realPath(asked);
    const held = new HeldDirectory(plain, join(directory, LOCK_FILE), undefined);
    const guard = { beforeWrite: undefined, onMoved: () => {} };
    return { fileSystem: new GuardedFileSystem(plain, held, guard), plain, directory };
  } catch (error) {
    throw asStoreError(error, asked);
  }
}
