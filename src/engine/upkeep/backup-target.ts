import { segmentIds, segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import { BACKUP_MARKER, BACKUP_TEMPORARY_SUFFIX, hasBackupMarker } from '../lock/backup-marker.ts';
import { readMark } from '../lock/durable-mark.ts';
import { LOCK_FILE } from '../lock/writer-lock.ts';
import type { LogPosition } from '../log/log-tail.ts';
import type { OpenLog } from '../log/open-log.ts';
import { endsDigestOf, isMerged, readSealHeader } from '../seal/seal-file.ts';

/** Is there nothing, or a backup of this store? Throws `TARGET_NOT_EMPTY`, and changes nothing. */
export function checkBackupTarget(source: OpenLog, target: string, end: LogPosition): void {
  const { fileSystem } = source.files;
  const stat = fileSystem.stat(target);
  if (stat === undefined) return;
  if (stat.kind !== 'directory')
    throw new StoreError('NOT_A_DIRECTORY', `a backup is a directory, and ${target} is not one`, {
      path: target,
    });
  const refuse = (why: string) => refusal(target, why);
  const names = fileSystem.list(target);
  if (names.includes(LOCK_FILE))
    throw refuse('is a store, or a backup that was opened as one and may have changed since');
  const { newest } = readMark(fileSystem, target);
  const isMarked = hasBackupMarker(fileSystem, target, source.storeId);
  if (isMarked === false) throw refuse('is an unfinished backup of another store');
  if (newest === undefined && isMarked === undefined) {
    if (names.every((name) => name === BACKUP_MARKER + BACKUP_TEMPORARY_SUFFIX)) return;
    throw refuse('is not empty, and not a backup');
  }
  if (newest !== undefined && !newest.mark.storeId.equals(source.storeId))
    throw refuse('is a backup of another store');
  const isLater = newest !== undefined && newest.mark.nextTxid > end.nextTxid;
  if (isLater) throw refuse('is a backup of a later time');
  checkNoLaterSegment(fileSystem, target, end);
}

/** A segment behind the end is of a later time, or somebody else has just put it there. */
export function checkNoLaterSegment(
  fileSystem: FileSystem,
  target: string,
  end: LogPosition,
): void {
  if (segmentIds(fileSystem.list(target)).some((segmentId) => segmentId > end.segmentId))
    throw refusal(target, 'is a backup of a later time');
}

function refusal(target: string, why: string): StoreError {
  return new StoreError('TARGET_NOT_EMPTY', `${target} ${why}; name a new directory`, {
    path: target,
  });
}

/**
 * Did this store, an earlier backup restored perhaps, go another way than what the target holds?
 * Seals name what was first sealed under an id, whatever merges made of it; what has none is
 * compared. Throws `TARGET_NOT_EMPTY`. Only where a merge has replaced what the target has no seal
 * of, nothing tells.
 */
export async function checkCourse(source: OpenLog, target: string, turns: Turns): Promise<void> {
  const { fileSystem } = source.files;
  if (fileSystem.stat(target) === undefined) return;
  const mark = readMark(fileSystem, target).newest?.mark;
  for (const segmentId of segmentIds(fileSystem.list(target))) {
    const isLast = segmentId === mark?.segmentId;
    if (isForked(source, target, segmentId, isLast ? mark.offset : undefined))
      throw refusal(target, 'is a backup of another course of this store');
    await turns.after(FILE_WORK_BYTES);
  }
}

/** `markedBytes` are what counts of the segment in which a finished backup ends. */
function isForked(
  source: OpenLog,
  target: string,
  segmentId: number,
  markedBytes: number | undefined,
): boolean {
  const { files } = source;
  const { fileSystem, directory } = files;
  const here = source.tail.segments.find((segment) => segment.segmentId === segmentId);
  const there = fileSystem.stat(segmentPath(target, segmentId));
  if (here === undefined || there?.kind !== 'file') return false;
  const [mine, theirs] = [directory, target].map((where) =>
    readSealHeader(fileSystem, where, segmentId),
  );
  if (theirs !== undefined && !theirs.storeId.equals(source.storeId)) return false;
  if (mine !== undefined && theirs !== undefined) return !mine.identity.equals(theirs.identity);
  if (theirs !== undefined && isMerged(theirs)) return here.sizeBytes > 0;
  const sizeBytes = Math.min(there.sizeBytes, markedBytes ?? there.sizeBytes);
  const isGone = here.sizeBytes === 0 || (mine !== undefined && isMerged(mine));
  if (sizeBytes === 0 || isGone) return false;
  if (here.sizeBytes < sizeBytes) return true;
  const [ours, copied] = [directory, target].map((where) =>
    files.useNow(segmentPath(where, segmentId), 'read', (file) => endsDigestOf(file, sizeBytes)),
  );
  return ours !== copied;
}
