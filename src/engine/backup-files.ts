import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BACKUP_TEMPORARY_SUFFIX } from './backup-marker.ts';
import { errnoOf, StoreError } from './errors.ts';
import { closeQuietly, type FileSystem, readFully, writeFully } from './file-system.ts';
import type { ScrubSource } from './scrub-source.ts';

/** Copied between two turns of the event loop. */
const BYTES_A_TURN = 1024 * 1024;

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

/** Whole and durable under its name, or not there under it. Returns the digest of the bytes. */
export async function copyFile(
  source: ScrubSource,
  from: string,
  to: string,
  sizeBytes: number,
): Promise<Buffer> {
  const { fileSystem } = source;
  const temporary = to + BACKUP_TEMPORARY_SUFFIX;
  if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
  const hash = createHash('sha256');
  const input = fileSystem.open(from, 'read');
  source.onDescriptors(1);
  try {
    const output = fileSystem.open(temporary, 'create');
    source.onDescriptors(1);
    try {
      const chunk = Buffer.allocUnsafeSlow(Math.min(BYTES_A_TURN, sizeBytes));
      for (let at = 0; at < sizeBytes; ) {
        source.checkOpen();
        const count = readFully(fileSystem, input, chunk, 0, Math.min(chunk.length, sizeBytes - at), at);
        if (count === 0)
          throw new StoreError('SNAPSHOT_GONE', `${from} became shorter while it was copied`, {
            path: from,
          });
        hash.update(chunk.subarray(0, count));
        writeFully(fileSystem, output, chunk, 0, count, at);
        at += count;
        await nextTurn();
      }
      await fileSystem.dataSyncAsync(output);
    } finally {
      closeQuietly(fileSystem, output);
      source.onDescriptors(-1);
    }
  } finally {
    closeQuietly(fileSystem, input);
    source.onDescriptors(-1);
  }
  fileSystem.rename(temporary, to);
  return hash.digest();
}
