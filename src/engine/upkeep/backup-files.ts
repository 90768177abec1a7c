import { createHash } from 'node:crypto';
import { errnoOf, StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import { BACKUP_TEMPORARY_SUFFIX } from '../lock/backup-marker.ts';

/** Copied between two turns of the event loop. */
export const BYTES_PER_TURN = 1024 * 1024;

/** Where a file cannot have one more name. */
const CANNOT_LINK: ReadonlySet<string> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
]);

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
