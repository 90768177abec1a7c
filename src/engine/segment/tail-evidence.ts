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
import type { OpenFile } from '../host/open-file.ts';
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
  readonly file: OpenFile;
  readonly sizeBytes: number;
}

/** Is it all zeros from `offset` to the end, or the start of a header and then all zeros? */
export async function isUnfinishedStart(
  segment: SegmentFile,
  offset: number,
  turns: Turns,
): Promise<boolean> {
  const { file, sizeBytes } = segment;
  const header = Buffer.alloc(Math.min(HEADER_BYTES, sizeBytes - offset));
  file.read(header, offset);
  let started = header.length;
  while (started > 0 && header[started - 1] === 0) started--;
  for (let index = 0; index < started; index++) {
    if (!mayStandInHeader(index, header[index] as number)) return false;
  }
  let isZeros = true;
  await file.eachChunk(offset + header.length, sizeBytes, turns, (chunk) => {
    for (let at = 0; isZeros && at < chunk.length; at += ZEROS.length) {
      const end = Math.min(at + ZEROS.length, chunk.length);
      isZeros = chunk.compare(ZEROS, 0, end - at, at, end) === 0;
    }
    return isZeros;
  });
  return isZeros;
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
  segment: SegmentFile,
  from: number,
  to: number,
  aboveTxid: number,
  turns: Turns,
): Promise<FrameSearch> {
  let found: FoundFrame | undefined;
  const exhausted = await searchFrames(
    segment,
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
  segment: SegmentFile,
  from: number,
  to: number,
  turns: Turns,
): Promise<number> {
  let highest = 0;
  await searchFrames(
    segment,
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
  segment: SegmentFile,
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
    const wanted = Math.min(chunk.length, segment.sizeBytes - base);
    const count = segment.file.read(chunk, base, wanted);
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
      if (offset + byteLength > segment.sizeBytes) continue;
      effort -= byteLength;
      if (effort < 0) return true;
      if (!(await frameIsWhole(segment.file, offset, byteLength, turns))) continue;
      if (visit({ offset, byteLength, txid: headerTxid(view, at) }) === 'stop') return false;
    }
    await turns.after(count);
  }
  return false;
}

/** Checks a frame of any size through a chunk. */
async function frameIsWhole(
  file: OpenFile,
  offset: number,
  byteLength: number,
  turns: Turns,
): Promise<boolean> {
  const crcAt = offset + byteLength - CRC_BYTES;
  let crc = 0;
  const isThere = await file.eachChunk(offset, crcAt, turns, (chunk) => {
    crc = crc32c(chunk, crc);
  });
  const stored = Buffer.alloc(CRC_BYTES);
  return isThere && file.read(stored, crcAt) === CRC_BYTES && readUint32(stored, 0) === crc;
}
