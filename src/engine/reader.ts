import { randomBytes } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { refuseUnfinishedBackup } from './backup-marker.ts';
import { NONCE_BYTES, readMark } from './durable-mark.ts';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import type { FileStat, FileSystem } from './file-system.ts';
import { KeyValueView } from './key-value-view.ts';
import { Keydir } from './keydir.ts';
import { type LogOptions, resolveLogOptions } from './log-options.ts';
import { NodeFileSystem } from './node-file-system.ts';
import { nowNs, type ProbeGauges } from './probe.ts';
import { ProbeSet } from './probe-set.ts';
import { scanLog } from './recovery.ts';
import { SealSet } from './seal-set.ts';
import { type LogSegment, listSegments } from './segment-list.ts';
import { segmentPath } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';
import { type ScannedRecord, scanSegments } from './segment-records.ts';
import { verify } from './verify.ts';
import type { VerifyOptions } from './verify-pace.ts';
import type { VerifyReport } from './verify-report.ts';
import { lockCarriesNonce } from './writer-lock.ts';

export type ReaderOptions = Pick<
  LogOptions,
  'name' | 'open' | 'descriptorPoolSize' | 'onOpenProgress' | 'probe' | 'fileSystem'
>;

interface SnapshotSegment extends LogSegment {
  /** What stood under the segment's name when the snapshot was taken. */
  readonly identity: FileStat;
  /** The last segment of a snapshot may go on growing; the others are immutable. */
  readonly sealed: boolean;
}

type Snapshot = ReadonlyMap<number, SnapshotSegment>;

/**
 * Reads a store without the lock, beside a writer in this or another process. It sees what was there when it was
 * opened and changes nothing on disk. The unfinished end of a live log is in flight, not damage.
 */
export class StoreReader extends KeyValueView {
  private readonly fileSystem: FileSystem;
  private readonly snapshot: Snapshot;
  private readonly reader: SegmentReader;
  private readonly probe: ProbeSet | undefined;
  private closed = false;

  private constructor(
    fileSystem: FileSystem,
    directory: string,
    keydir: Keydir,
    snapshot: Snapshot,
    reader: SegmentReader,
    probe: ProbeSet | undefined,
  ) {
    super(keydir, reader, probe, directory);
    this.fileSystem = fileSystem;
    this.snapshot = snapshot;
    this.reader = reader;
    this.probe = probe;
  }

  /** Throws `NOT_FOUND`, `NOT_A_DIRECTORY`, `PERMISSION_DENIED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL` or `SNAPSHOT_GONE`. */
  static async open(path: string, options: ReaderOptions = {}): Promise<StoreReader> {
    const { descriptorPoolSize } = resolveLogOptions(options);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probe = ProbeSet.of(options.probe);
    const directory = resolve(path);
    const keydir = new Keydir();
    let opened: StoreReader | undefined;
    probe?.attach({ name: options.name ?? basename(directory), gauges: () => opened?.gauges() });
    const operation = probe?.begin('open') ?? 0;
    const startNs = probe === undefined ? 0 : nowNs();
    try {
      refuseUnfinishedBackup(fileSystem, directory);
      // The mark and the seals first: they must not prove more than the listing shows.
      const mark = readMark(fileSystem, directory).newest?.mark;
      const seals = SealSet.read(fileSystem, directory, mark?.storeId);
      keydir.identify(mark?.storeId ?? seals.storeId ?? randomBytes(NONCE_BYTES));
      const listed = listIdentities(fileSystem, directory);
      const scan = await scanLog({
        fileSystem,
        directory,
        segments: listed.map(({ segmentId, sizeBytes }) => ({ segmentId, sizeBytes })),
        mark,
        seals,
        full: options.open === 'full',
        witnessed: mark !== undefined && lockCarriesNonce(fileSystem, directory, mark.sessionNonce),
        mode: 'prefix',
        acceptAmbiguousTail: false,
        probe,
        operation,
        visit: (segmentId, frame) => keydir.apply(segmentId, frame),
        visitHint: (segmentId, hint) => keydir.applyHint(segmentId, hint),
        onProgress: options.onOpenProgress,
      });
      const kept = new Map(scan.segments.map(({ segmentId, sizeBytes }) => [segmentId, sizeBytes]));
      const snapshot: Snapshot = new Map(
        listed.map((segment) => [
          segment.segmentId,
          { ...segment, sizeBytes: kept.get(segment.segmentId) ?? 0 },
        ]),
      );
      // What was scanned must be what was listed: a segment may have been replaced in between.
      for (const segment of snapshot.values()) {
        checkIdentity(segment, fileSystem.stat(segmentPath(directory, segment.segmentId)));
      }
      const check = (segmentId: number, descriptor: number) =>
        checkIdentity(snapshot.get(segmentId) as SnapshotSegment, fileSystem.statDescriptor(descriptor));
      const reader = new SegmentReader(fileSystem, directory, descriptorPoolSize, probe, check);
      opened = new StoreReader(fileSystem, directory, keydir, snapshot, reader, probe);
      probe?.opened?.(operation, 'snapshot', 0, startNs, nowNs() - startNs, undefined);
      return opened;
    } catch (error) {
      const failure =
        errnoOf(error) === 'ENOENT'
          ? noStore(directory, error)
          : wrapSystemError(error, 'read the store', directory);
      probe?.opened?.(operation, 'failed', 0, startNs, nowNs() - startNs, failure);
      probe?.detach();
      throw failure;
    }
  }

  /** Every record of the snapshot, in log order. */
  *scan(): Generator<ScannedRecord> {
    this.checkOpen();
    yield* scanSegments(this.fileSystem, this.directory, [...this.snapshot.values()], this.probe);
  }

  /** As `Store.verify`, of this snapshot; `SNAPSHOT_GONE` when a merge has replaced a segment of it. */
  verify(options?: VerifyOptions): Promise<VerifyReport> {
    const { fileSystem, directory, keydir, probe, snapshot } = this;
    return verify(
      {
        fileSystem,
        directory,
        keydir,
        probe,
        segments: () => [...snapshot.values()],
        checkOpened: (segmentId, stat) => checkIdentity(snapshot.get(segmentId) as SnapshotSegment, stat),
        checkOpen: () => this.checkOpen(),
      },
      options,
    );
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.reader.close();
    this.probe?.detach();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private gauges(): ProbeGauges {
    const segments = [...this.snapshot.values()];
    return {
      keys: this.keydir.size,
      keydirBytes: this.keydir.sizeBytes,
      liveBytes: this.keydir.liveBytes,
      ...this.reader.poolStats,
      openDescriptors: this.reader.poolStats.pooledDescriptors,
      poisoned: false,
      sealedSegments: segments.length - 1,
      segmentBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      unsyncedBytes: 0,
      unsyncedRecords: 0,
      syncWaiters: 0,
      lastSyncedAtMs: undefined,
      probeErrors: this.probe?.errors ?? 0,
    };
  }

  protected override checkOpen(): void {
    if (this.closed)
      throw new StoreError('STORE_CLOSED', `${this.directory} was closed`, { path: this.directory });
  }
}

function listIdentities(fileSystem: FileSystem, directory: string): SnapshotSegment[] {
  const listed: SnapshotSegment[] = [];
  for (const { segmentId } of listSegments(fileSystem, directory)) {
    const identity = fileSystem.stat(segmentPath(directory, segmentId));
    if (identity === undefined) continue;
    listed.push({ segmentId, sizeBytes: identity.sizeBytes, identity, sealed: true });
  }
  const last = listed.pop();
  if (last === undefined) throw noStore(directory);
  return [...listed, { ...last, sealed: false }];
}

function noStore(directory: string, cause?: unknown): StoreError {
  return new StoreError('NOT_FOUND', `there is no store in ${directory}`, { path: directory, cause });
}

function checkIdentity(
  { segmentId, sizeBytes, identity, sealed }: SnapshotSegment,
  now: FileStat | undefined,
): void {
  const same =
    now !== undefined &&
    now.device === identity.device &&
    now.inode === identity.inode &&
    (sealed
      ? now.sizeBytes === identity.sizeBytes && now.modifiedMs === identity.modifiedMs
      : now.sizeBytes >= sizeBytes);
  if (same) return;
  throw new StoreError(
    'SNAPSHOT_GONE',
    `segment ${segmentId} was replaced or removed since this reader was opened; open a new one`,
    { segmentId },
  );
}
