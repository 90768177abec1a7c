import { mendSlots } from './checksum-mending.ts';

/** Names that a terminal would obey, or that read as something else than they are. */
export const HOSTILE_TEXTS = [
  '\u001b[31mred\u001b[2J',
  '\u009b31mred',
  '\u202etxet',
  'a\nverdict: sound',
  'a\rverdict: sound',
  'a\u0007\u0008b',
  '\u200b',
  '\u2028\u2029',
  '\u{e0001}',
  '\ud800',
  'a\tb',
  '\u007f',
  'plain',
];

/** What no text that is printed may hold; line feeds and tabs end lines and fields. */
export const UNPRINTED = /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/u;

/** `.lock` with its newest record on another host. */
export function heldBy(lock: Buffer, host: string): Buffer {
  const bytes = Buffer.concat([lock, Buffer.alloc(8192)]).subarray(0, 8192);
  for (const at of [0, 4096]) {
    const length = bytes.readUInt16LE(at + 6);
    if (length === 0) continue;
    const record = JSON.parse(bytes.toString('utf8', at + 16, at + 16 + length));
    const body = Buffer.from(JSON.stringify({ ...record, host }));
    bytes.writeUInt16LE(body.length, at + 6);
    body.copy(bytes, at + 16);
  }
  return mendSlots(bytes);
}
