import { RecordType } from './format.ts';
import type { RecordRef } from './frame.ts';
import type { SegmentScanner } from './segment-scanner.ts';

/**
 * The in-memory map from key to the place of its newest Put. Exact: it holds the keys themselves. Keys are kept
 * as strings of one character a byte, which `Map` hashes and compares natively.
 */
export class Keydir {
  private readonly refs = new Map<string, RecordRef>();

  get size(): number {
    return this.refs.size;
  }

  get(key: Uint8Array): RecordRef | undefined {
    return this.refs.get(byteString(key, 0, key.length));
  }

  has(key: Uint8Array): boolean {
    return this.refs.has(byteString(key, 0, key.length));
  }

  set(key: Uint8Array, ref: RecordRef): void {
    this.refs.set(byteString(key, 0, key.length), ref);
  }

  /** Was it there? */
  delete(key: Uint8Array): boolean {
    return this.refs.delete(byteString(key, 0, key.length));
  }

  /** Replays one record of the log: a Put or a Delete; Raw records are not part of the view. */
  apply(segmentId: number, frame: SegmentScanner): void {
    if (frame.type === RecordType.Raw) return;
    const key = byteString(frame.bytes, frame.keyAt, frame.keyAt + frame.keyLength);
    if (frame.type === RecordType.Delete) this.refs.delete(key);
    else this.refs.set(key, { segmentId, offset: frame.offset, byteLength: frame.byteLength });
  }

  /** In no promised order. A key added or deleted while iterating may or may not be seen. */
  *keys(): Generator<Buffer> {
    for (const key of this.refs.keys()) yield Buffer.from(key, 'latin1');
  }

  /** All keys in byte order. */
  sortedKeys(): Buffer[] {
    // Strings of one character a byte compare as their bytes do.
    return [...this.refs.keys()].sort(compareStrings).map((key) => Buffer.from(key, 'latin1'));
  }
}

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byteString(bytes: Uint8Array, start: number, end: number): string {
  if (Buffer.isBuffer(bytes)) return bytes.toString('latin1', start, end);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
