import { join } from 'node:path';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import { closeQuietly, type FileSystem, readSmallFile, writeFully } from '../host/file-system.ts';

/**
 * Says that a directory holds a backup that is not finished. It is there, durably, before a backup
 * changes anything else, and goes, durably, after everything else is: whatever ends a backup in
 * between, nobody opens what it left.
 */
export const BACKUP_MARKER = 'backup-unfinished';
export const BACKUP_TEMPORARY_SUFFIX = '.backup-tmp';
const LONGEST_TEXT_BYTES = 256;
const BUILD_TEXT = Buffer.from('tidemark: an unfinished copy\n');

/** Any marker refuses, be it of zeros or nothing. Throws `BACKUP_UNFINISHED`. */
export function refuseUnfinishedBackup(fileSystem: FileSystem, directory: string): void {
  const path = join(directory, BACKUP_MARKER);
  try {
    if (fileSystem.stat(path) === undefined) return;
  } catch (error) {
    throw wrapSystemError(error, 'open the log', directory);
  }
  const rescue = `to rescue what is there: npx tidemark salvage ${directory} NEW_DIRECTORY`;
  const text = attempt(() => readSmallFile(fileSystem, path, LONGEST_TEXT_BYTES));
  throw new StoreError(
    'BACKUP_UNFINISHED',
    text?.equals(BUILD_TEXT)
      ? `${directory} is a copy that did not end. Empty it and make the copy again; ${rescue}`
      : `${directory} is a backup that did not end. Run it again, from the same store, and it goes on; ${rescue}`,
    { path },
  );
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Is there one of this store's? Undefined when there is none at all. */
export function hasBackupMarker(
  fileSystem: FileSystem,
  directory: string,
  storeId: Buffer,
): boolean | undefined {
  const text = readSmallFile(fileSystem, join(directory, BACKUP_MARKER), LONGEST_TEXT_BYTES);
  return text === undefined ? undefined : text.equals(markerText(storeId));
}

export function placeBackupMarker(
  fileSystem: FileSystem,
  directory: string,
  storeId: Buffer,
): void {
  placeMarker(fileSystem, directory, markerText(storeId));
}

/** The same beside a new store whose files are being put there. `removeBackupMarker` ends it. */
export function placeBuildMarker(fileSystem: FileSystem, directory: string): void {
  placeMarker(fileSystem, directory, BUILD_TEXT);
}

function placeMarker(fileSystem: FileSystem, directory: string, text: Buffer): void {
  const path = join(directory, BACKUP_MARKER);
  const temporary = path + BACKUP_TEMPORARY_SUFFIX;
  if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
  const descriptor = fileSystem.open(temporary, 'create');
  try {
    writeFully(fileSystem, descriptor, text, 0, text.length, 0);
    fileSystem.dataSync(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
  fileSystem.rename(temporary, path);
  fileSystem.directorySync(directory);
}

export function removeBackupMarker(fileSystem: FileSystem, directory: string): void {
  // Everything else that has a name here first: of two changes that nothing orders a power cut may
  // keep the second alone.
  fileSystem.directorySync(directory);
  fileSystem.remove(join(directory, BACKUP_MARKER));
  fileSystem.directorySync(directory);
}

function markerText(storeId: Buffer): Buffer {
  return Buffer.from(`tidemark: an unfinished backup of store ${storeId.toString('hex')}\n`);
}
