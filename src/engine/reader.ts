import { resolve } from 'node:path';
import { readMark } from './durable-mark.ts';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import type { FileStat, FileSystem } from './file-system.ts';
import { KeyValueView } from './key-value-view.ts';
import { Keydir } from './keydir.ts';
import { type LogOptions, resolveLogOptions } from './log-options.ts';
import { NodeFileSystem } from './node-file-system.ts';
import { GuardedProbe } from './probe.ts';
import { type LogSegment, listSegments, scanLog } from './recovery.ts';
import { segmentPath } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';
import { type ScannedRecord, scanSegments } from './segment-records.ts';
import { lockCarriesNonce } from './writer-lock.ts';

export type ReaderOptions = Pick<
  LogOptions,
  'descriptorPoolSize' | 'onOpenProgress' | 'probe' | 'fileSystem'
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
  readonly directory: string;
  private readonly fileSystem: FileSystem;
  private readonly snapshot: Snapshot;
  private readonly reader: SegmentReader;
  private readonly probe: GuardedProbe | undefined;
  private closed = false;

  private constructor(
    fileSystem: FileSystem,
    directory: string,
    keydir: Keydir,
    snapshot: Snapshot,
    reader: SegmentReader,
    probe: GuardedProbe | undefined,
  ) {
    super(keydir, reader, probe);
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.snapshot = snapshot;
    this.reader = reader;
    this.probe = probe;
  }

  /** Throws `NOT_FOUND`, `NOT_A_DIRECTORY`, `PERMISSION_DENIED`, `STORE_CORRUPT`, `AMBIGUOUS_TAIL` or `SNAPSHOT_GONE`. */
  static async open(path: string, options: ReaderOptions = {}): Promise<StoreReader> {
    const { descriptorPoolSize } = resolveLogOptions(options);
    const fileSystem = options.fileSystem ?? new NodeFileSystem();
    const probes = options.probe === undefined ? [] : [options.probe].flat();
    const probe = probes.length === 0 ? undefined : new GuardedProbe(probes);
    const directory = resolve(path);
    const keydir = new Keydir();
    try {
      // The mark first: it must not prove more than the listing shows.
      const mark = readMark(fileSystem, directory).newest?.mark;
      const listed = listIdentities(fileSystem, directory);
      const scan = await scanLog({
        fileSystem,
        directory,
        segments: listed.map(({ segmentId, sizeBytes }) => ({ segmentId, sizeBytes })),
        mark,
        witnessed: mark !== undefined && lockCarriesNonce(fileSystem, directory, mark.sessionNonce),
        mode: 'prefix',
        acceptAmbiguousTail: false,
        probe,
        visit: (segmentId, frame) => keydir.apply(segmentId, frame),
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
      return new StoreReader(fileSystem, directory, keydir, snapshot, reader, probe);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw noStore(directory, error);
      throw wrapSystemError(error, 'read the store', directory);
    }
  }

  /** Every record of the snapshot, in log order. */
  *scan(): Generator<ScannedRecord> {
    this.checkOpen();
    yield* scanSegments(this.fileSystem, this.directory, [...this.snapshot.values()], this.probe);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.reader.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
