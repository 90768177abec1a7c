import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { segmentIds } from '../format/segment-name.ts';
import { errnoOf, StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import { BACKUP_TEMPORARY_SUFFIX } from '../lock/backup-marker.ts';
import { MARK_FILE } from '../lock/durable-mark.ts';
import { parseSealName, SEAL_SUFFIX } from '../seal/seal-file.ts';

/** Copied between two turns of the event loop. */
export const BYTES_PER_TURN = 1024 * 1024;

/** Where a file cannot have one more name, or has none of its own. */
const CANNOT_LINK: ReadonlySet<string> = new Set([
  'EXDEV',
  'ELOOP',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
]);

/**
 * Takes symbolic links under names of a store out of a backup: what they lead to may go or change
 * with the source, and is no copy.
 */
export function removeLinks(fileSystem: FileSystem, directory: string): void {
  for (const name of fileSystem.list(directory)) {
    const isOfStore =
      segmentIds([name]).length > 0 || parseSealName(name, SEAL_SUFFIX) !== undefined;
    if (!isOfStore && name !== MARK_FILE) continue;
    const path = join(directory, name);
    if (isLink(fileSystem, path)) fileSystem.remove(path);
  }
}

/** `path` has none on the way to its last name. */
function isLink(fileSystem: FileSystem, path: string): boolean {
  try {
    return fileSystem.realPath(path) !== path;
  } catch (error) {
    // It was listed: it leads nowhere, or round and round.
    if (['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')) return true;
    throw error;
  }
}

/** False where only a copy will do. */
export function linkFile(fileSystem: FileSystem, from: string, to: string): boolean {
  try {
    if (fileSystem.stat(to) !== undefined) fileSystem.remove(to);
    fileSystem.link(from, to);
    return true;
  } catch (error) {
    if (CANNOT_LINK.has(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

/** Are the first bytes of a file all that another holds? Not where one of them cannot be read. */
export async function isCopy(
  files: StoreFiles,
  from: string,
  to: string,
  sizeBytes: number,
  turns: Turns,
): Promise<boolean> {
  if (files.fileSystem.stat(to)?.sizeBytes !== sizeBytes) return false;
  try {
    return await files.use(from, 'read', (original) =>
      files.use(to, 'read', (copy) => {
        let theirs = Buffer.alloc(0);
        return original.eachChunk(0, sizeBytes, turns, (mine, at) => {
          if (theirs.length < mine.length) theirs = Buffer.allocUnsafeSlow(mine.length);
          return (
            copy.read(theirs, at, mine.length) === mine.length &&
            mine.compare(theirs, 0, mine.length) === 0
          );
        });
      }),
    );
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/** Whole and durable under its name, or not there under it. Returns the digest of the bytes. */
export async function copyFile(
  files: StoreFiles,
  from: string,
  to: string,
  sizeBytes: number,
  turns: Turns,
): Promise<Buffer> {
  const { fileSystem } = files;
  const temporary = to + BACKUP_TEMPORARY_SUFFIX;
  if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
  const hash = createHash('sha256');
  await files.use(from, 'read', (input) =>
    files.use(temporary, 'create', async (output) => {
      const whole = await input.eachChunk(0, sizeBytes, turns, (chunk, at) => {
        hash.update(chunk);
        output.write(chunk, at);
      });
      if (!whole)
        throw new StoreError('SNAPSHOT_GONE', `${from} became shorter while it was copied`, {
          path: from,
        });
      await output.syncAsync();
    }),
  );
  fileSystem.rename(temporary, to);
  return hash.digest();
}
