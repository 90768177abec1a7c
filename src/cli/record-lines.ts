import type { ScannedRecord } from '../engine/index.ts';
import { JSON_SCHEMA, type Output } from './output.ts';
import { segmentFile } from './place.ts';

/** The names of record types, by number. */
export const TYPE_NAMES = ['raw', 'put', 'delete'] as const;

const TYPE_COLUMNS = TYPE_NAMES.map((name) => Buffer.from(`\t${name}\t`));
const TAB = 0x09;
const NEWLINE = 0x0a;
const BETWEEN = Buffer.from('","value_b64":"');
const END = Buffer.from('"}\n');

/**
 * Writes records as lines, of which there may be millions a second: `PLACE TXID TYPE KEY VALUE`
 * between tabs, which no printable key or value holds.
 */
export class RecordLines {
  private readonly output: Output;
  private readonly limitBytes: number;
  private segmentId = 0;
  private placePrefix: Uint8Array = Buffer.alloc(0);

  constructor(output: Output, limitBytes: number) {
    this.output = output;
    this.limitBytes = limitBytes;
  }

  text({ ref, type, txid, key, payload }: ScannedRecord): void {
    const { output, limitBytes } = this;
    output.reserve(Math.min(key.length, limitBytes) + Math.min(payload.length, limitBytes));
    if (ref.segmentId !== this.segmentId) {
      this.segmentId = ref.segmentId;
      this.placePrefix = Buffer.from(`${segmentFile(ref.segmentId)}:`);
    }
    output.raw(this.placePrefix);
    output.integer(ref.offset);
    output.byte(TAB);
    output.integer(txid);
    output.raw(TYPE_COLUMNS[type] as Uint8Array);
    output.printable(key, limitBytes);
    output.byte(TAB);
    output.printable(payload, limitBytes);
    output.byte(NEWLINE);
  }

  json({ ref, type, txid, key, payload }: ScannedRecord): void {
    const { output } = this;
    output.reserve(key.length + payload.length);
    output.ascii(
      `{"schema":${JSON_SCHEMA},"kind":"record","segment":${ref.segmentId},"offset":${ref.offset},"bytes":${ref.byteLength},` +
        `"txid":${txid},"type":"${TYPE_NAMES[type]}","key_b64":"`,
    );
    output.base64(key);
    output.raw(BETWEEN);
    output.base64(payload);
    output.raw(END);
  }
}

/** The engine hands out Buffers, whose own method spares a copy. */
export function base64(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString('base64');
}
