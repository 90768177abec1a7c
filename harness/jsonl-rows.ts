import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { firstDifference, type KeyedValues } from './keyed-values.ts';
import { RowFile } from './row-file.ts';
import type { Rows } from './workload.ts';

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** Input that cannot be used, with the place in words. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * Real data as versioned values: each line of a JSONL file is a row, and the version of a key is
 * the one-based line that it was put from. Lines stay in the file and are read again when they are
 * needed; in memory are the distinct keys and, for each line, where it lies and whose it is.
 */
export class JsonlRows implements KeyedValues, Rows {
  private readonly file: RowFile;
  private readonly path: string;
  private readonly keyField: string | undefined;
  private readonly offsets: number[] = [];
  private readonly lengths: number[] = [];
  private readonly rowKeys: number[] = [];
  /** Keys as latin1 strings, which hold any bytes, one a character. */
  private readonly keys: string[] = [];
  private readonly numbers = new Map<string, number>();
  private totalBytes = 0;

  private constructor(path: string, keyField: string | undefined) {
    this.path = path;
    this.keyField = keyField;
    this.file = new RowFile(path);
  }

  /**
   * Reads and checks the whole file. With `keyField` the key is that field, a string or a number,
   * and the value is the line's bytes as they are; without it each line is
   * `{"key":"…","payload":"…"}`, both in base64. Throws `InputError` with the number of the first
   * line that is not so.
   */
  static async load(path: string, keyField?: string): Promise<JsonlRows> {
    let rows: JsonlRows | undefined;
    try {
      rows = new JsonlRows(path, keyField);
      for await (const { bytes, offset } of linesOf(path)) rows.add(bytes, offset);
      if (rows.rowCount === 0) throw new InputError(`${path} holds no lines`);
      return rows;
    } catch (error) {
      rows?.close();
      if (error instanceof InputError) throw error;
      throw new InputError(
        `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  get rowCount(): number {
    return this.offsets.length;
  }

  get keyCount(): number {
    return this.keys.length;
  }

  /** Keys and values of one pass over all rows. */
  get passBytes(): number {
    return this.totalBytes;
  }

  keyNumberOfRow(row: number): number {
    return this.rowKeys[row] as number;
  }

  keyOf(keyNumber: number): Buffer {
    return Buffer.from(this.keys[keyNumber] as string, 'latin1');
  }

  numberOf(key: Uint8Array): number | undefined {
    return this.numbers.get(
      Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1'),
    );
  }

  nameOf(version: number): string {
    return `line ${version} of the input`;
  }

  valueOf(_keyNumber: number, version: number): Buffer {
    // A copy: the line is only lent.
    return Buffer.from(this.lentValue(version));
  }

  sizeBytesOf(_keyNumber: number, version: number): number {
    // In the base64 form the value is shorter than what stands in the file.
    return this.lentValue(version).length;
  }

  differenceFrom(_keyNumber: number, version: number, bytes: Uint8Array): string | undefined {
    const expected = this.lentValue(version);
    if (expected.equals(bytes)) return undefined;
    const at = firstDifference(expected, bytes);
    return `${bytes.length} bytes; ${this.nameOf(version)} has ${expected.length} and differs from byte ${at} on`;
  }

  close(): void {
    this.file.close();
  }

  private lentValue(version: number): Buffer {
    const lengthBytes = this.lengths[version - 1] as number;
    const line = this.file.read(this.offsets[version - 1] as number, lengthBytes);
    if (line.length < lengthBytes)
      throw new InputError(`${this.path} became shorter while it was in use`);
    return this.keyField === undefined ? this.parse(line, version).value : line;
  }

  private add(line: Buffer, offset: number): void {
    const row = this.parse(line, this.offsets.length + 1);
    const key = row.key.toString('latin1');
    let keyNumber = this.numbers.get(key);
    if (keyNumber === undefined) {
      keyNumber = this.keys.length;
      this.keys.push(key);
      this.numbers.set(key, keyNumber);
    }
    this.offsets.push(offset);
    this.lengths.push(line.length);
    this.rowKeys.push(keyNumber);
    this.totalBytes += row.key.length + row.value.length;
  }

  private parse(line: Buffer, lineNumber: number): Row {
    const refuse = (why: string): never => {
      throw new InputError(`${basename(this.path)}, line ${lineNumber}: ${why}`);
    };
    let parsed: unknown;
    try {
      parsed = JSON.parse(UTF8.decode(line));
    } catch (error) {
      if (line.length === 0) return refuse('the line is empty');
      return refuse(`not JSON in UTF-8 (${(error as Error).message})`);
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      return refuse('not a JSON object');
    const fields = parsed as Record<string, unknown>;
    if (this.keyField !== undefined) {
      const key = Object.hasOwn(fields, this.keyField) ? fields[this.keyField] : undefined;
      if (typeof key === 'string' || typeof key === 'number')
        return { key: Buffer.from(String(key)), value: line };
      return refuse(`no field ${JSON.stringify(this.keyField)} that is a string or a number`);
    }
    const key = decodeBase64(fields.key);
    const value = decodeBase64(fields.payload);
    if (key === undefined)
      return refuse('no base64 string "key" (name the field to use with --key-field)');
    return value === undefined ? refuse('no base64 string "payload"') : { key, value };
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * `Buffer.from` skips what is not base64; here that is an error, since skipping would make another
 * key.
 */
function decodeBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** The lines of a file without their newlines; a newline at the very end begins no further line. */
async function* linesOf(path: string): AsyncGenerator<{ bytes: Buffer; offset: number }> {
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let offset = 0;
    for (;;) {
      const { buffer, bytesRead } = await file.read(
        Buffer.allocUnsafeSlow(CHUNK_BYTES),
        0,
        CHUNK_BYTES,
      );
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield { bytes: bytes.subarray(start, end), offset: offset + start };
        start = end + 1;
      }
      rest = bytes.subarray(start);
      offset += start;
    }
    if (rest.length > 0) yield { bytes: rest, offset };
  } finally {
    await file.close();
  }
}
