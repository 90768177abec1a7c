import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { frameBytes } from '../format/frame.ts';
import {
  callBack,
  errnoOf,
  StoreError,
  type StoreErrorCode,
  wrapSystemError,
} from '../host/errors.ts';
import { closeQuietly, type FileSystem, writeFully } from '../host/file-system.ts';
import { PAIR_WORK_BYTES, Turns } from '../host/turns.ts';

export interface ExportOptions {
  /** Called after every slice; bytes of frames. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Ends the export; it rejects with the signal's reason, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/** Read between two turns of the event loop. */
const BYTES_PER_TURN = 1024 * 1024;
/** How many characters of lines are handed on together. */
const CHARACTERS = 256 * 1024;

/**
 * One `{"key_b64":"…","value_b64":"…"}` and a line feed for each pair, many lines at a time.
 * `totalBytes` is of the frames.
 */
export async function* exportLines(
  pairs: Iterable<[Buffer, Buffer]>,
  totalBytes: number,
  { onProgress, signal }: ExportOptions,
): AsyncGenerator<string, void> {
  signal?.throwIfAborted();
  const turns = new Turns(BYTES_PER_TURN, () => signal?.throwIfAborted());
  let text = '';
  let doneBytes = 0;
  for (const [key, value] of pairs) {
    text += `{"key_b64":"${key.toString('base64')}","value_b64":"${value.toString('base64')}"}\n`;
    const workBytes = frameBytes(key.length, value.length);
    doneBytes += workBytes;
    if (text.length >= CHARACTERS) {
      yield text;
      text = '';
    }
    if (!turns.isDue(Math.max(workBytes, PAIR_WORK_BYTES))) continue;
    callBack(onProgress, doneBytes, Math.max(totalBytes, doneBytes));
    await turns.next();
  }
  if (text !== '') yield text;
  callBack(onProgress, doneBytes, doneBytes);
  // Whoever was told of the end may still want none of it.
  signal?.throwIfAborted();
}

/**
 * Writes beside the target, syncs, and renames over it: a reader sees the old file or the whole new
 * one. Nothing but a file is replaced.
 */
export async function exportFile(
  fileSystem: FileSystem,
  lines: AsyncIterable<string>,
  path: string,
  storeDirectory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = resolve(path);
  const temporary = `${target}.unfinished-${randomBytes(6).toString('hex')}`;
  try {
    signal?.throwIfAborted();
    checkTarget(fileSystem, target, resolve(storeDirectory));
    await writeLines(fileSystem, lines, temporary);
    fileSystem.rename(temporary, target);
    fileSystem.directorySync(dirname(target));
  } catch (error) {
    try {
      fileSystem.remove(temporary);
    } catch {
      // It was never made, or cannot be removed either: what went wrong first is what to tell.
    }
    if (signal?.aborted && error === signal.reason) throw error;
    // What is missing, or is no directory, is not the file.
    const isOfParent = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
    throw wrapSystemError(error, 'export', isOfParent ? dirname(target) : target);
  }
}

/**
 * A rename would take the place of a segment, and of a link, a pipe or a device as well,
 * `/dev/stdout` among them.
 */
function checkTarget(fileSystem: FileSystem, target: string, storeDirectory: string): void {
  const refuse = (code: StoreErrorCode, what: string, cause?: unknown) =>
    new StoreError(code, `cannot export: ${target} ${what}`, { path: target, cause });
  if (dirname(target) === storeDirectory)
    throw refuse('IO_FAILED', 'lies in the directory of the store; name a file elsewhere');
  switch (fileSystem.stat(target)?.kind) {
    case undefined:
      return;
    case 'directory':
      throw refuse('IO_FAILED', 'is a directory; name a file');
    case 'other':
      throw refuse('IO_FAILED', 'is no plain file, and nothing else is replaced');
    default:
  }
  try {
    // A file that is write-protected is not replaced either.
    closeQuietly(fileSystem, fileSystem.open(target, 'write'));
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP') throw error;
    throw refuse(
      'PERMISSION_DENIED',
      'is a symbolic link, and nothing is written through one',
      error,
    );
  }
}

async function writeLines(
  fileSystem: FileSystem,
  lines: AsyncIterable<string>,
  path: string,
): Promise<void> {
  const descriptor = fileSystem.open(path, 'create');
  try {
    let position = 0;
    for await (const text of lines) {
      const bytes = Buffer.from(text, 'latin1');
      writeFully(fileSystem, descriptor, bytes, 0, bytes.length, position);
      position += bytes.length;
    }
    await fileSystem.dataSyncAsync(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}
