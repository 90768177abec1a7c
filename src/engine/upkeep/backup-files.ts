import { createHash } from 'node:crypto';
import { errnoOf, StoreError } from '../host/errors.ts';
import { type FileSystem, readFully, writeFully } from '../host/file-system.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import { BACKUP_TEMPORARY_SUFFIX } from '../lock/backup-marker.ts';

/** Copied between two turns of the event loop. */
export const BYTES_A_TURN = 1024 * 1024;

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
  const { fileSystem } = files;
  if (fileSystem.stat(to)?.sizeBytes !== sizeBytes) return false;
  const [mine, theirs] = [chunkFor(sizeBytes), chunkFor(sizeBytes)];
  try {
    return await files.use(from, 'read', (original) =>
      files.use(to, 'read', async (copy) => {
        for (let at = 0; at < sizeBytes; at += BYTES_A_TURN) {
          const length = Math.min(BYTES_A_TURN, sizeBytes - at);
          for (const [descriptor, chunk] of [
            [original, mine],
            [copy, theirs],
          ] as const)
            if (readFully(fileSystem, descriptor, chunk, 0, length, at) < length) return false;
          if (mine.compare(theirs, 0, length, 0, length) !== 0) return false;
          await turns.after(2 * length);
        }
        return true;
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
      const chunk = chunkFor(sizeBytes);
      for (let at = 0; at < sizeBytes; ) {
        const count = readFully(
          fileSystem,
          input,
          chunk,
          0,
          Math.min(chunk.length, sizeBytes - at),
          at,
        );
        if (count === 0)
          throw new StoreError('SNAPSHOT_GONE', `${from} became shorter while it was copied`, {
            path: from,
          });
        hash.update(chunk.subarray(0, count));
        writeFully(fileSystem, output, chunk, 0, count, at);
        at += count;
        await turns.after(count);
      }
      await fileSystem.dataSyncAsync(output);
    }),
  );
  fileSystem.rename(temporary, to);
  return hash.digest();
}

function chunkFor(sizeBytes: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(BYTES_A_TURN, sizeBytes));
}
