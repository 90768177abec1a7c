import { segmentIds, segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
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
  if (newest !== undefined && isForked(source, target, newest.mark))
    throw refuse('is a backup of another course of this store');
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
 * Did this store, an earlier backup restored perhaps, go another way after that position? A merge
 * hides the answer.
 */
function isForked(source: OpenLog, target: string, { segmentId, offset }: LogPosition): boolean {
  const { fileSystem } = source.files;
  const there = fileSystem.stat(segmentPath(target, segmentId));
  const here = source.tail.segments.find((segment) => segment.segmentId === segmentId);
  if (there === undefined || there.sizeBytes < offset || offset === 0 || here === undefined)
    return false;
  const seal = readSealHeader(fileSystem, source.files.directory, segmentId);
  if (here.sizeBytes === 0 || (seal !== undefined && isMerged(seal))) return false;
  if (here.sizeBytes < offset) return true;
  const [mine, theirs] = [source.files.directory, target].map((directory) =>
    source.files.useNow(segmentPath(directory, segmentId), 'read', (file) =>
      endsDigestOf(file, offset),
    ),
  );
  return mine !== theirs;
}
