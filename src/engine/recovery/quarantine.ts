import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { segmentName, segmentPath } from '../format/segment-name.ts';
import { errnoOf, isNoRoom } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import type { Discarded, QuarantinedRange } from './recovery-report.ts';

/**
 * Discarded bytes are kept aside before they are cut off, each range in a file named by segment,
 * offset and digest, so that recovery killed half-way finds its copy instead of making another.
 */
export const QUARANTINE_DIRECTORY = 'quarantine';

/** All files together; beyond it the report says that a range was not kept. */
export const QUARANTINE_LIMIT_BYTES = 256 * 1024 * 1024;

const TEMPORARY = 'unfinished.tmp';

/** Saves a range durably; when there is no room, says so in `notes` and goes on. */
export async function quarantine(
  files: StoreFiles,
  range: Discarded,
  notes: string[],
  turns: Turns,
): Promise<QuarantinedRange> {
  const { fileSystem, directory } = files;
  const folder = join(directory, QUARANTINE_DIRECTORY);
  const where = `${range.byteLength} bytes discarded at ${segmentName(range.segmentId)}:${range.offset}`;
  const tooMuch = () => {
    notes.push(`${where} were not kept: ${folder} would exceed ${QUARANTINE_LIMIT_BYTES} bytes`);
    return { ...range, quarantinePath: null };
  };
  // A file that holds nothing may be long: what is never kept is not read either.
  if (range.byteLength > QUARANTINE_LIMIT_BYTES) return tooMuch();
  const digest = await digestRange(files, range, turns);
  const path = join(folder, `${segmentName(range.segmentId)}-${range.offset}-${digest}`);
  const noRoom = (error: unknown) => {
    // No room must not keep a store from opening.
    if (!isNoRoom(error)) throw error;
    notes.push(`${where} were not kept: no room in ${folder} (${errnoOf(error)})`);
    return { ...range, quarantinePath: null };
  };
  try {
    fileSystem.makeDirectory(folder);
  } catch (error) {
    return noRoom(error);
  }
  // Also what was there: whoever made the folder or the copy may have been killed before its name
  // was durable. That it fails is no lack of room: the opening relies on the same directory.
  fileSystem.directorySync(directory);
  try {
    if (fileSystem.stat(path)?.sizeBytes === range.byteLength) {
      fileSystem.directorySync(folder);
      return { ...range, quarantinePath: path };
    }
    const temporary = join(folder, TEMPORARY);
    if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
    const usedBytes = await usedBytesOf(fileSystem, folder, turns);
    if (usedBytes + range.byteLength > QUARANTINE_LIMIT_BYTES) return tooMuch();
    try {
      await copyRange(files, range, temporary, turns);
    } catch (error) {
      if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
      throw error;
    }
    fileSystem.rename(temporary, path);
    fileSystem.directorySync(folder);
    return { ...range, quarantinePath: path };
  } catch (error) {
    return noRoom(error);
  }
}

async function usedBytesOf(fileSystem: FileSystem, folder: string, turns: Turns): Promise<number> {
  let usedBytes = 0;
  for (const name of fileSystem.list(folder)) {
    usedBytes += fileSystem.stat(join(folder, name))?.sizeBytes ?? 0;
    await turns.after(FILE_WORK_BYTES);
  }
  return usedBytes;
}

async function digestRange(files: StoreFiles, range: Discarded, turns: Turns): Promise<string> {
  const hash = createHash('sha256');
  const path = segmentPath(files.directory, range.segmentId);
  const end = range.offset + range.byteLength;
  await files.use(path, 'read', (file) =>
    file.eachChunk(range.offset, end, turns, (chunk) => hash.update(chunk)),
  );
  return hash.digest('hex').slice(0, 32);
}

async function copyRange(
  files: StoreFiles,
  { segmentId, offset, byteLength }: Discarded,
  to: string,
  turns: Turns,
): Promise<void> {
  await files.use(to, 'create', (copy) =>
    files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {
      await file.eachChunk(offset, offset + byteLength, turns, (chunk, at) =>
        copy.write(chunk, at - offset),
      );
      copy.sync();
    }),
  );
}
