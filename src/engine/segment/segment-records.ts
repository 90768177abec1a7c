import { CRC_BYTES, HEADER_BYTES } from '../format/format.ts';
import type { LogRecord, RecordRef } from '../format/frame.ts';
import { segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { CAN_SHARE_BUFFERS, sharedBuffer } from '../host/handed-out.ts';
import { Observation } from '../host/observation.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { damagedFrame, FrameCursor, scanChunk } from './frame-cursor.ts';
import type { LogSegment } from './segment-list.ts';

const SLAB_BYTES = 64 * 1024;

export interface ScannedRecord extends LogRecord {
  readonly ref: RecordRef;
}

/** A scan that is going on. */
export interface RunningScan {
  readonly segments: readonly LogSegment[];
  /** Index of the segment that it will open next. */
  next: number;
  /**
   * Files that were opened for it before it came to them, by segment id, because others take their
   * names.
   */
  readonly opened: Map<number, OpenFile>;
}

/** Whoever must know of a scan while it is going on. */
export interface ScanWatcher {
  began(scan: RunningScan): void;
  ended(scan: RunningScan): void;
}

/**
 * The records of whole segments, in log order, each with bytes of its own. Throws at the first
 * invalid frame. One generator for all of it: handing every record through another is not free.
 */
export function* scanSegments(
  files: StoreFiles,
  segments: readonly LogSegment[],
  probe: ProbeSet | undefined,
  watcher?: ScanWatcher,
): Generator<ScannedRecord> {
  const scan: RunningScan = { segments, next: 0, opened: new Map() };
  const observation = new Observation(probe, 'scan', { records: 0 });
  const { operation, result } = observation;
  const chunk = scanChunk(segments);
  const copier = new RecordCopier();
  watcher?.began(scan);
  try {
    for (const { segmentId, sizeBytes } of segments) {
      scan.next++;
      if (sizeBytes === 0) continue;
      const file = scan.opened.get(segmentId) ?? openToScan(files, segmentId);
      scan.opened.delete(segmentId);
      try {
        const frame = new FrameCursor({
          file,
          probe,
          operation,
          site: 'scan',
          segmentId,
          endOffset: sizeBytes,
          chunk,
        });
        for (let state = frame.next(); state !== 'end'; state = frame.next()) {
          if (state === 'damaged') throw damagedFrame(segmentId, frame);
          result.records++;
          yield copier.copy(segmentId, frame);
        }
      } finally {
        files.close(file);
      }
    }
  } catch (error) {
    throw observation.failed(error);
  } finally {
    for (const file of scan.opened.values()) files.close(file);
    watcher?.ended(scan);
    observation.end();
  }
}

export function openToScan(files: StoreFiles, segmentId: number): OpenFile {
  const path = segmentPath(files.directory, segmentId);
  try {
    return files.open(path, 'read');
  } catch (error) {
    throw new StoreError('READ_FAILED', `cannot open ${path}`, { cause: error, path, segmentId });
  }
}

/**
 * Copies of short records lie one behind the other in a slab, so that a record costs two views and
 * no allocation.
 */
export class RecordCopier {
  private slab = sharedBuffer(CAN_SHARE_BUFFERS ? SLAB_BYTES : 0);
  private slabUsed = 0;

  copy(segmentId: number, frame: FrameCursor): ScannedRecord {
    const { offset, byteLength, frameAt, keyLength } = frame;
    const start = frameAt + HEADER_BYTES;
    const contentBytes = byteLength - HEADER_BYTES - CRC_BYTES;
    if (!CAN_SHARE_BUFFERS) return copyApart(segmentId, frame, start, contentBytes);
    const target = this.room(contentBytes);
    const at = this.slabUsed;
    frame.bytes.copy(target, at, start, start + contentBytes);
    this.slabUsed += contentBytes;
    return {
      ref: { segmentId, offset, byteLength },
      type: frame.type,
      txid: frame.txid,
      key: Buffer.from(target.buffer, at, keyLength),
      payload: Buffer.from(target.buffer, at + keyLength, contentBytes - keyLength),
    };
  }

  /** A buffer with so much room at `slabUsed`; a long record gets one of its own. */
  private room(contentBytes: number): Buffer {
    if (this.slabUsed + contentBytes > this.slab.length) {
      this.slab = sharedBuffer(Math.max(SLAB_BYTES, contentBytes));
      this.slabUsed = 0;
    }
    return this.slab;
  }
}

/** Key and payload each in a buffer of its own. */
function copyApart(
  segmentId: number,
  { offset, byteLength, keyLength, type, txid, bytes }: FrameCursor,
  start: number,
  contentBytes: number,
): ScannedRecord {
  const key = Buffer.allocUnsafeSlow(keyLength);
  const payload = Buffer.allocUnsafeSlow(contentBytes - keyLength);
  bytes.copy(key, 0, start, start + keyLength);
  bytes.copy(payload, 0, start + keyLength, start + contentBytes);
  return { ref: { segmentId, offset, byteLength }, type, txid, key, payload };
}
