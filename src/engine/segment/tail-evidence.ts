import { crc32c } from '../format/crc32c.ts';
import {
  CRC_BYTES,
  FLAGS_OFFSET,
  HEADER_BYTES,
  MAGIC_BYTES,
  MAX_RECORD_TYPE,
  TYPE_OFFSET,
  VERSION_OFFSET,
  WIRE_VERSION,
} from '../format/format.ts';
import { headerFault, headerFrameBytes, headerTxid, readUint32, viewOf } from '../format/frame.ts';
import type { FileSystem } from '../host/file-system.ts';
import { readFully } from '../host/file-system.ts';
import type { Turns } from '../host/turns.ts';

/**
 * What lies behind damage, for the rows of the verdict table that ask. Reads in chunks; the work is
 * bounded even for a file made of headers that each claim megabytes.
 */

const CHUNK_BYTES = 256 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/**
 * Checksummed bytes a search may spend, as a multiple of the bytes searched, before it gives up.
 */
const SEARCH_EFFORT = 16;

export interface SegmentFile {
  readonly fileSystem: FileSystem;
  readonly descriptor: number;
  readonly sizeBytes: number;
}

/** Is it all zeros from `offset` to the end, or the start of a header and then all zeros? */
export async function isUnfinishedStart(
  file: SegmentFile,
  offset: number,
  turns: Turns,
): Promise<boolean> {
  const header = Buffer.alloc(Math.min(HEADER_BYTES, file.sizeBytes - offset));
  readFully(file.fileSystem, file.descriptor, header, 0, header.length, offset);
  let started = header.length;
  while (started > 0 && header[started - 1] === 0) started--;
  for (let index = 0; index < started; index++) {
    if (!mayStandInHeader(index, header[index] as number)) return false;
  }
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let at = offset + header.length; at < file.sizeBytes; ) {
    const count = readFully(
      file.fileSystem,
      file.descriptor,
      chunk,
      0,
      Math.min(chunk.length, file.sizeBytes - at),
      at,
    );
    if (count === 0) break;
    if (chunk.compare(ZEROS, 0, count, 0, count) !== 0) return false;
    at += count;
    await turns.after(count);
  }
  return true;
}

function mayStandInHeader(index: number, byte: number): boolean {
  if (index < MAGIC_BYTES.length) return byte === MAGIC_BYTES[index];
  if (index === VERSION_OFFSET) return byte === WIRE_VERSION;
  if (index === VERSION_OFFSET + 1) return byte === 0;
  if (index === TYPE_OFFSET) return byte <= MAX_RECORD_TYPE;
  if (index === FLAGS_OFFSET) return byte === 0;
  return true;
}

export interface FoundFrame {
  readonly offset: number;
  readonly byteLength: number;
  readonly txid: number;
}

export type FrameSearch =
  | { readonly found: FoundFrame }
  /** None, or the effort ran out before the whole range had been searched. */
  | { readonly found: undefined; readonly exhausted: boolean };

/** The first valid frame with a txid above `aboveTxid` that starts in `[from, to)`, at any byte. */
export async function findFrame(
  file: SegmentFile,
  from: number,
  to: number,
  aboveTxid: number,
  turns: Turns,
): Promise<FrameSearch> {
  let found: FoundFrame | undefined;
  const exhausted = await searchFrames(
    file,
    from,
    to,
    (txid) => txid > aboveTxid,
    (frame) => {
      found = frame;
      return 'stop';
    },
    turns,
  );
  return found === undefined ? { found, exhausted } : { found };
}

/**
 * The highest txid of valid frames that start in `[from, to)`, at any byte; 0 when there is none.
 */
export async function highestTxid(
  file: SegmentFile,
  from: number,
  to: number,
  turns: Turns,
): Promise<number> {
  let highest = 0;
  await searchFrames(
    file,
    from,
    to,
    (txid) => txid > highest,
    (frame) => {
      highest = frame.txid;
      return 'go on';
    },
    turns,
  );
  return highest;
}

/** Looks at every valid frame whose txid is wanted; true when the effort ran out before the end. */
async function searchFrames(
  file: SegmentFile,
  from: number,
  to: number,
  isWanted: (txid: number) => boolean,
  visit: (frame: FoundFrame) => 'stop' | 'go on',
  turns: Turns,
): Promise<boolean> {
  const magic = Buffer.from(MAGIC_BYTES);
  const chunk = Buffer.alloc(CHUNK_BYTES + HEADER_BYTES);
  const view = viewOf(chunk);
  let effort = SEARCH_EFFORT * Math.max(to - from, CHUNK_BYTES);
  for (let base = from; base < to; base += CHUNK_BYTES) {
    const wanted = Math.min(chunk.length, file.sizeBytes - base);
    const count = readFully(file.fileSystem, file.descriptor, chunk, 0, wanted, base);
    const bytes = chunk.subarray(0, count);
    for (
      let at = bytes.indexOf(magic);
      at !== -1 && at < CHUNK_BYTES;
      at = bytes.indexOf(magic, at + 1)
    ) {
      const offset = base + at;
      if (offset >= to || at + HEADER_BYTES > count) break;
      if (headerFault(view, at) !== undefined || !isWanted(headerTxid(view, at))) continue;
      const byteLength = headerFrameBytes(view, at);
      if (offset + byteLength > file.sizeBytes) continue;
      effort -= byteLength;
      if (effort < 0) return true;
      if (!(await frameIsWhole(file, offset, byteLength, turns))) continue;
      if (visit({ offset, byteLength, txid: headerTxid(view, at) }) === 'stop') return false;
    }
    await turns.after(count);
  }
  return false;
}

/** Checks a frame of any size through a chunk. */
async function frameIsWhole(
  file: SegmentFile,
  offset: number,
  byteLength: number,
  turns: Turns,
): Promise<boolean> {
  const crcAt = offset + byteLength - CRC_BYTES;
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, byteLength));
  let crc = 0;
  for (let at = offset; at < crcAt; ) {
    const count = readFully(
      file.fileSystem,
      file.descriptor,
      chunk,
      0,
      Math.min(chunk.length, crcAt - at),
      at,
    );
    if (count === 0) return false;
    crc = crc32c(chunk.subarray(0, count), crc);
    at += count;
    await turns.after(count);
  }
  return (
    readFully(file.fileSystem, file.descriptor, chunk, 0, CRC_BYTES, crcAt) === CRC_BYTES &&
    readUint32(chunk, 0) === crc
  );
}
