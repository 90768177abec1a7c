import { resolve } from 'node:path';
import { MAX_KEY_BYTES, MAX_PAYLOAD_BYTES } from '../format/format.ts';
import { isAborted, StoreError, wrapSystemError } from '../host/errors.ts';
import { closeQuietly, type FileSystem, readFully } from '../host/file-system.ts';
import { Turns } from '../host/turns.ts';

const READ_BYTES = 1024 * 1024;
const BATCH_BYTES = 4 * 1024 * 1024;
/**
 * The longest line that a legal record can give, with room for spaces; a longer one is malformed.
 */
const MAX_LINE_BYTES = Math.ceil((MAX_KEY_BYTES + MAX_PAYLOAD_BYTES) / 3) * 4 + 1024;

interface Pair {
  readonly type: 'put';
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface ImportOptions {
  /** Ends the import between two slices; what was put until then stays. */
  readonly signal?: AbortSignal;
}

/**
 * Reads what `exportJsonl` writes: once to check every line, and once to write them, so that a
 * malformed file changes nothing.
 */
export async function importJsonl(
  fileSystem: FileSystem,
  path: string,
  write: (pairs: readonly Pair[]) => void,
  sync: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const source = resolve(path);
  await checkJsonl(fileSystem, source, { signal });
  let count = 0;
  const check = () => signal?.throwIfAborted();
  const turns = new Turns(BATCH_BYTES, check);
  let batch: Pair[] = [];
  let batchBytes = 0;
  for await (const pair of readPairs(fileSystem, source, signal)) {
    batch.push(pair);
    batchBytes += pair.key.length + pair.value.length;
    count++;
    if (batchBytes < BATCH_BYTES) continue;
    write(batch);
    batch = [];
    batchBytes = 0;
    await turns.next();
  }
  check();
  write(batch);
  await sync();
  return count;
}

/**
 * What `importJsonl` does first, for whoever wants to know it before there is a store: throws
 * `IMPORT_MALFORMED` with the line.
 */
export async function checkJsonl(
  fileSystem: FileSystem,
  path: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  signal?.throwIfAborted();
  for await (const _ of readPairs(fileSystem, resolve(path), signal)) {
    // Only checked.
  }
}

async function* readPairs(
  fileSystem: FileSystem,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Pair> {
  try {
    let line = 0;
    for await (const text of readLines(fileSystem, path, () => signal?.throwIfAborted())) {
      line++;
      // Some programs put a byte-order mark in front of UTF-8.
      const row = line === 1 && text.startsWith('\ufeff') ? text.slice(1) : text;
      if (row.trim() !== '') yield parsePair(row, line, path);
    }
  } catch (error) {
    throw isAborted(error, signal) ? error : wrapSystemError(error, 'import', path);
  }
}

async function* readLines(
  fileSystem: FileSystem,
  path: string,
  check: () => void,
): AsyncGenerator<string> {
  const descriptor = fileSystem.open(path, 'read');
  try {
    let line = 1;
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
    const turns = new Turns(READ_BYTES, check);
    let pieces: Buffer[] = [];
    let pieceBytes = 0;
    for (let position = 0; ; ) {
      const count = readFully(fileSystem, descriptor, chunk, 0, chunk.length, position);
      position += count;
      let start = 0;
      for (
        let end = chunk.indexOf(0x0a);
        end !== -1 && end < count;
        end = chunk.indexOf(0x0a, start)
      ) {
        yield Buffer.concat([...pieces, chunk.subarray(start, end)]).toString('utf8');
        pieces = [];
        pieceBytes = 0;
        start = end + 1;
        line++;
      }
      pieces.push(Buffer.from(chunk.subarray(start, count)));
      pieceBytes += count - start;
      if (pieceBytes > MAX_LINE_BYTES) {
        throw malformed(path, line, `has more than ${MAX_LINE_BYTES} bytes`);
      }
      if (count < chunk.length) break;
      await turns.next();
    }
    if (pieceBytes > 0) yield Buffer.concat(pieces).toString('utf8');
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}

function parsePair(text: string, line: number, path: string): Pair {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw malformed(path, line, 'is not JSON', error);
  }
  const fields = (parsed ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(fields).find((name) => name !== 'key_b64' && name !== 'value_b64');
  const { key_b64, value_b64 } = fields;
  const key = decodeBase64(key_b64);
  if (key === undefined) throw malformed(path, line, 'has no base64 string "key_b64"');
  const value = decodeBase64(value_b64);
  if (value === undefined) throw malformed(path, line, 'has no base64 string "value_b64"');
  // What would be left out is rather told.
  if (unknown !== undefined) throw malformed(path, line, `has another field, "${unknown}"`);
  if (hasFieldTwice(text)) throw malformed(path, line, 'has a field twice');
  if (key.length > MAX_KEY_BYTES)
    throw malformed(path, line, `has a key of more than ${MAX_KEY_BYTES} bytes`);
  if (value.length > MAX_PAYLOAD_BYTES) {
    throw malformed(path, line, `has a value of more than ${MAX_PAYLOAD_BYTES} bytes`);
  }
  return { type: 'put', key, value };
}

/**
 * JSON takes the last of two fields of one name without a word. Two names and two strings of base64
 * are between eight quotation marks, none of which can stand inside of them; a third field has
 * more.
 */
function hasFieldTwice(text: string): boolean {
  let count = 0;
  for (let at = text.indexOf('"'); at !== -1 && count <= 8; at = text.indexOf('"', at + 1)) count++;
  return count > 8;
}

/**
 * `Buffer.from` skips what is not base64; here that is an error, since skipping would invent
 * another key.
 */
function decodeBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function malformed(path: string, line: number, what: string, cause?: unknown): StoreError {
  return new StoreError(
    'IMPORT_MALFORMED',
    `line ${line} of ${path} ${what}; nothing was imported`,
    {
      path,
      line,
      cause,
    },
  );
}
