import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { wrapSystemError } from './errors.ts';
import { closeQuietly, type FileSystem, writeFully } from './file-system.ts';

const WRITE_CHARACTERS = 1024 * 1024;

/** Writes beside the target, syncs, and renames over it: a reader sees the old file or the whole new one. */
export async function exportJsonl(
  fileSystem: FileSystem,
  pairs: Iterable<[Buffer, Buffer]>,
  path: string,
): Promise<void> {
  const target = resolve(path);
  const temporary = `${target}.unfinished-${randomBytes(6).toString('hex')}`;
  try {
    await writePairs(fileSystem, pairs, temporary);
    fileSystem.rename(temporary, target);
    fileSystem.directorySync(dirname(target));
  } catch (error) {
    try {
      fileSystem.remove(temporary);
    } catch {
      // It was never made, or cannot be removed either: what went wrong first is what to tell.
    }
    throw wrapSystemError(error, 'export', target);
  }
}

async function writePairs(
  fileSystem: FileSystem,
  pairs: Iterable<[Buffer, Buffer]>,
  path: string,
): Promise<void> {
  const descriptor = fileSystem.open(path, 'create');
  try {
    let position = 0;
    let text = '';
    const flush = () => {
      const bytes = Buffer.from(text, 'latin1');
      writeFully(fileSystem, descriptor, bytes, 0, bytes.length, position);
      position += bytes.length;
      text = '';
    };
    for (const [key, value] of pairs) {
      text += `{"key_b64":"${key.toString('base64')}","value_b64":"${value.toString('base64')}"}\n`;
      if (text.length < WRITE_CHARACTERS) continue;
      flush();
      await nextTurn();
    }
    flush();
    fileSystem.dataSync(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}
