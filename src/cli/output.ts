import { setImmediate as nextTurn } from 'node:timers/promises';
import { printableText } from '../engine/index.ts';
import { HEX_BYTES, printable } from './printable.ts';

/** The schema of every JSON line. It changes when a field changes its meaning or goes. */
export const JSON_SCHEMA = 1;

/**
 * Large enough that the write calls cost nothing, small enough that a pager gets its first page at
 * once.
 */
const CHUNK_BYTES = 256 * 1024;
/** The words with which `printable` says that it cut something. */
const CUT = Buffer.from('... (');
const CUT_END = Buffer.from(' bytes more)');
/** A line without its key and value. */
const LINE_BYTES = 256;
const BASE64_PREFIX = Buffer.from('b64:');
const BASE64_DIGITS = Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
);
const BASE64_PADDING = 0x3d;
/** Up to here a loop is faster than the way to native code and back. */
const SHORT_BYTES = 512;

/** Whoever read our output has seen enough: no failure, and nothing more to do. */
export class ClosedPipe extends Error {}

/**
 * Standard output, written in large chunks. Nothing is held back at the end of a command that calls
 * `end`. Throws `ClosedPipe` when the reader went away.
 */
export class Output {
  private bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private used = 0;

  /** A line of fields between tabs. Whatever else is not printable is escaped. */
  line(text: string): void {
    this.text(text.replace(/[^\t]+/g, printableText));
  }

  /** Lines that this program makes itself, to be read by another; and one line feed more. */
  text(text: string): void {
    const needed = Buffer.byteLength(text) + 1;
    if (needed > this.bytes.length - this.used) this.grow(needed);
    this.used += this.bytes.write(text, this.used);
    this.bytes[this.used++] = 0x0a;
  }

  json(kind: string, fields: Readonly<Record<string, unknown>>): void {
    this.text(jsonLine({ schema: JSON_SCHEMA, kind, ...fields }));
  }

  /** Is it time to await `flush`? */
  get isFull(): boolean {
    return this.used >= CHUNK_BYTES - LINE_BYTES;
  }

  async flush(): Promise<void> {
    if (this.used === 0) return;
    const chunk = this.bytes.subarray(0, this.used);
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(chunk, (error) => {
        if (error == null) resolve();
        else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new ClosedPipe() : error);
      });
    });
    // A write to a file or a pipe ends before the event loop turns: signals are heard only then.
    await nextTurn();
    this.used = 0;
    if (this.bytes.length > CHUNK_BYTES) this.bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  /** Room for a line that shows so many bytes of key and value, as base64 at the most. */
  reserve(contentBytes: number): void {
    const needed = Math.ceil((contentBytes * 4) / 3) + LINE_BYTES;
    if (needed > this.bytes.length - this.used) this.grow(needed);
  }

  /** Writes ASCII. Room was reserved, as for every method below. */
  ascii(text: string): void {
    this.used += this.bytes.write(text, this.used, 'latin1');
  }

  /** Writes a few bytes: a loop is faster than a call of a method that copies. */
  raw(text: Uint8Array): void {
    const { bytes } = this;
    let at = this.used;
    for (let index = 0; index < text.length; index++) bytes[at++] = text[index] as number;
    this.used = at;
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.bytes[this.used++] = value;
  }

  /** Writes a non-negative integer in decimal. */
  integer(value: number): void {
    if (value >= 1e9) {
      this.ascii(String(value));
      return;
    }
    let digits = 1;
    for (let power = 10; value >= power; power *= 10) digits++;
    let rest = value | 0;
    for (let at = this.used + digits - 1; at >= this.used; at--) {
      this.bytes[at] = 0x30 + (rest % 10);
      rest = (rest / 10) | 0;
    }
    this.used += digits;
  }

  /** Writes what the function `printable` gives. */
  printable(value: Uint8Array, limitBytes: number): void {
    const { bytes } = this;
    const length = Math.min(value.length, limitBytes);
    // What could be taken for `b64:` or `hex:` goes the careful way, as does what may or may not be
    // printable.
    const isPlain = value[3] !== 0x3a;
    let at = this.used;
    for (let index = 0; index < length; index++) {
      const byte = value[index] as number;
      if (isPlain && byte >= 0x20 && byte < 0x7f) {
        bytes[at++] = byte;
        continue;
      }
      if (isPlain && length > HEX_BYTES && isNeverPrintable(byte)) {
        this.raw(BASE64_PREFIX);
        this.base64(value, length);
        this.cut(value.length - length);
      } else this.used += bytes.write(printable(value, limitBytes), this.used);
      return;
    }
    this.used = at;
    this.cut(value.length - length);
  }

  /** Writes the first `length` bytes in base64. */
  base64(value: Uint8Array, length = value.length): void {
    const { bytes } = this;
    if (length > SHORT_BYTES) {
      const whole = Buffer.from(value.buffer, value.byteOffset, length);
      this.used += bytes.write(whole.toString('base64'), this.used, 'latin1');
      return;
    }
    let at = this.used;
    let index = 0;
    for (; index + 2 < length; index += 3) {
      const three =
        ((value[index] as number) << 16) |
        ((value[index + 1] as number) << 8) |
        (value[index + 2] as number);
      bytes[at++] = BASE64_DIGITS[three >>> 18] as number;
      bytes[at++] = BASE64_DIGITS[(three >>> 12) & 63] as number;
      bytes[at++] = BASE64_DIGITS[(three >>> 6) & 63] as number;
      bytes[at++] = BASE64_DIGITS[three & 63] as number;
    }
    if (index < length) {
      const hasTwo = index + 1 < length;
      const rest =
        ((value[index] as number) << 16) | (hasTwo ? (value[index + 1] as number) << 8 : 0);
      bytes[at++] = BASE64_DIGITS[rest >>> 18] as number;
      bytes[at++] = BASE64_DIGITS[(rest >>> 12) & 63] as number;
      bytes[at++] = hasTwo ? (BASE64_DIGITS[(rest >>> 6) & 63] as number) : BASE64_PADDING;
      bytes[at++] = BASE64_PADDING;
    }
    this.used = at;
  }

  private cut(leftOutBytes: number): void {
    if (leftOutBytes === 0) return;
    this.raw(CUT);
    this.integer(leftOutBytes);
    this.raw(CUT_END);
  }

  private grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + needed));
    this.bytes.copy(grown, 0, 0, this.used);
    this.bytes = grown;
  }
}

function escapedUnit(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
}

/** JSON without any character that is not printable: the same value, with more escapes. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => escapedUnit(character, at)).join(''),
  );
}

/**
 * Asks about a byte that only plain ASCII precedes. A control character is never printable, and
 * neither is the inside of a character that has no beginning.
 */
function isNeverPrintable(byte: number): boolean {
  return byte < 0x20 || (byte >= 0x7f && byte < 0xc0);
}
