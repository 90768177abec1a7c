import { randomBytes } from 'node:crypto';
import { segmentPath } from '../format/segment-name.ts';
import { errnoOf, StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileStat, FileSystem } from '../host/file-system.ts';
import { pause } from '../host/pause.ts';
import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import { StoreFiles } from '../host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../host/turns.ts';
import { Keydir } from '../keydir/keydir.ts';
import { NONCE_BYTES } from '../lock/durable-mark.ts';
import { readDirectory, requireAgreement } from '../recovery/directory-contents.ts';
import type { LogOptions } from '../recovery/log-options.ts';
import { scanLog } from '../recovery/recovery.ts';
import { markNotes, reportMark, type SnapshotReport } from '../recovery/recovery-report.ts';
import { DirectoryStamp } from '../seal/directory-stamp.ts';
import { type LogSegment, listSegments } from '../segment/segment-list.ts';

export interface SnapshotSegment extends LogSegment {
  /** What stood under the segment's name when the snapshot was taken. */
  readonly identity: FileStat;
  /** The last segment of a snapshot may go on growing; the others are immutable. */
  readonly sealed: boolean;
}

export interface Snapshot {
  /** The id that the mark or the seals name; random where neither is there. */
  readonly storeId: Buffer;
  readonly keydir: Keydir;
  /** Ascending by id. */
  readonly segments: Map<number, SnapshotSegment>;
  /** 0 when there is no record. */
  lastTxid: number;
  readonly report: SnapshotReport;
}

export interface SnapshotOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  readonly operation: number;
  readonly full: boolean;
  /** False leaves the keydir empty. */
  readonly keys: boolean;
  readonly onProgress: LogOptions['onOpenProgress'];
  /** Throws when the reader was closed; `closed` is aborted then. */
  readonly checkOpen?: () => void;
  readonly closed?: AbortSignal;
}

/**
 * How often a snapshot is tried while segments are being replaced, and how long after the first
 * failure.
 */
const ATTEMPTS = 6;
const RETRY_MS = 5;

/**
 * Reads a log without the lock. What is wrong only because a merge replaced something between two
 * looks is looked at again; when that does not end, it throws `SNAPSHOT_GONE`.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { fileSystem, directory } = options;
  for (let attempt = 1; ; attempt++) {
    let stamp: DirectoryStamp | undefined;
    try {
      stamp = new DirectoryStamp(fileSystem, directory);
      return await readSnapshot(options);
    } catch (error) {
      const hasChanged = stamp?.hasChanged() ?? false;
      if (stamp === undefined || (!hasChanged && !stamp.isMerging()))
        throw asStoreError(error, directory);
      if (attempt === ATTEMPTS) {
        if (!hasChanged) throw asStoreError(error, directory);
        throw new StoreError(
          'SNAPSHOT_GONE',
          `segments of ${directory} are replaced faster than they can be read`,
          {
            path: directory,
            cause: error,
          },
        );
      }
    }
    await pause(RETRY_MS * 2 ** attempt, options.closed);
    options.checkOpen?.();
  }
}

async function readSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { fileSystem, directory, probe, operation, full, keys, onProgress } = options;
  const startNs = nowNs();
  const turns = new Turns(OPENING_SLICE_BYTES, options.checkOpen);
  const files = new StoreFiles(fileSystem, directory);
  const contents = await readDirectory(files, turns);
  const { segments, seals, damagedSlots, witnessed } = contents;
  const mark = contents.mark?.mark;
  const keydir = new Keydir();
  const storeId = mark?.storeId ?? seals.storeId ?? randomBytes(NONCE_BYTES);
  keydir.identify(storeId);
  // Where there is no segment, a mark or a seal says that it is not for want of a store.
  if (contents.listed.length === 0) await requireAgreement(contents, turns);
  const listed = listIdentities(fileSystem, directory, contents.listed);
  await requireAgreement(contents, turns);
  const scan = await scanLog({
    files,
    segments,
    mark,
    seals,
    full,
    witnessed,
    mode: 'prefix',
    acceptAmbiguousTail: false,
    probe,
    operation,
    target: keys ? keydir : undefined,
    turns,
    onProgress,
  });
  const kept = new Map(scan.segments.map(({ segmentId, sizeBytes }) => [segmentId, sizeBytes]));
  const snapshot = new Map<number, SnapshotSegment>();
  for (const segment of listed) {
    const sizeBytes = kept.get(segment.segmentId) ?? 0;
    snapshot.set(segment.segmentId, { ...segment, sizeBytes });
    // What was scanned must be what was listed: a segment may have been replaced in between.
    if (sizeBytes > 0 || !segment.sealed)
      checkIdentity(
        { ...segment, sizeBytes },
        fileSystem.stat(segmentPath(directory, segment.segmentId)),
      );
  }
  const durableMark = reportMark(mark, witnessed);
  return {
    storeId,
    keydir,
    segments: snapshot,
    lastTxid: scan.lastTxid,
    report: {
      outcome: scan.discarded.length === 0 ? 'whole' : 'unfinished',
      durableMark,
      segmentsScanned: scan.segments.length - scan.segmentsFromSeals,
      segmentsFromSeals: scan.segmentsFromSeals,
      recordsKept: scan.recordCount,
      bytesKept: scan.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      ignored: scan.discarded,
      notes: [...markNotes(damagedSlots, durableMark), ...contents.notes],
      durationNs: nowNs() - startNs,
    },
  };
}

/**
 * The segments of a directory with what stands under their names. Throws `NOT_FOUND` when there is
 * none.
 */
export function listIdentities(
  fileSystem: FileSystem,
  directory: string,
  segments: readonly LogSegment[] = listSegments(fileSystem, directory),
): SnapshotSegment[] {
  const listed: SnapshotSegment[] = [];
  for (const { segmentId } of segments) {
    const identity = fileSystem.stat(segmentPath(directory, segmentId));
    if (identity === undefined) continue;
    listed.push({ segmentId, sizeBytes: identity.sizeBytes, identity, sealed: true });
  }
  const last = listed.pop();
  if (last === undefined) throw noStore(directory);
  return [...listed, { ...last, sealed: false }];
}

export function isSameFile(
  { sizeBytes, identity, sealed }: SnapshotSegment,
  now: FileStat | undefined,
): boolean {
  return (
    now !== undefined &&
    now.device === identity.device &&
    now.inode === identity.inode &&
    (sealed
      ? now.sizeBytes === identity.sizeBytes && now.modifiedMs === identity.modifiedMs
      : now.sizeBytes >= sizeBytes)
  );
}

/** Throws `SNAPSHOT_GONE` when another file stands there now. */
export function checkIdentity(segment: SnapshotSegment, now: FileStat | undefined): void {
  if (isSameFile(segment, now)) return;
  const { segmentId } = segment;
  throw new StoreError(
    'SNAPSHOT_GONE',
    `segment ${segmentId} was replaced or removed since this reader was opened or refreshed; refresh it`,
    { segmentId },
  );
}

/** What is missing is the store. */
export function asStoreError(error: unknown, directory: string): StoreError {
  return errnoOf(error) === 'ENOENT'
    ? noStore(directory, error)
    : wrapSystemError(error, 'read the store', directory);
}

function noStore(directory: string, cause?: unknown): StoreError {
  return new StoreError('NOT_FOUND', `there is no store in ${directory}`, {
    path: directory,
    cause,
  });
}
