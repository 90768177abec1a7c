import { isUtf8 } from 'node:buffer';
import { printableText } from '../engine/index.ts';

/** Bytes of a key or a value that are shown unless --no-truncate asks for all. */
export const SHOWN_BYTES = 80;

/** Other bytes are shown as hexadecimal up to this length, and as base64 beyond it. */
export const HEX_BYTES = 16;

/** Text that could be taken for the encoded form of something else. */
const ENCODED = /^(?:b64|hex):/;

/**
 * Printable UTF-8 as it is, anything else as `hex:…` or `b64:…`. What is longer than `limitBytes`
 * is cut, between characters, and the number of bytes left out follows.
 */
export function printable(bytes: Uint8Array, limitBytes = Number.POSITIVE_INFINITY): string {
  const shown = bytes.length > limitBytes ? bytes.subarray(0, limitBytes) : bytes;
  const text = textOf(shown, bytes.length > shown.length);
  if (text === undefined) return cut(encoded(shown), bytes.length - shown.length);
  return cut(text, bytes.length - Buffer.byteLength(text));
}

/** `1 record`, `2 records`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function cut(text: string, leftOutBytes: number): string {
  return leftOutBytes === 0 ? text : `${text}... (${leftOutBytes} bytes more)`;
}

function encoded(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  return bytes.length <= HEX_BYTES
    ? `hex:${buffer.toString('hex')}`
    : `b64:${buffer.toString('base64')}`;
}

function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  const whole = isCut ? bytes.subarray(0, characterBoundary(bytes)) : bytes;
  // A decoder that throws takes ten times as long, and there may be millions of them.
  if (!isUtf8(whole)) return undefined;
  const text = asBuffer(whole).toString();
  return printableText(text) !== text || ENCODED.test(text) ? undefined : text;
}

/** The length of the bytes without a character that the cut went through. */
function characterBoundary(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return wanted > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
