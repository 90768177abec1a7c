import { HEADER_BYTES, type RecordType } from '../format/format.ts';
import {
  crcHolds,
  type FrameFault,
  headerFault,
  headerFrameBytes,
  headerKeyLength,
  headerTxid,
  headerType,
  viewOf,
} from '../format/frame.ts';
import { placeName } from '../format/segment-name.ts';
import { StoreError, type StoreErrorCode } from '../host/errors.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { ReadSite } from '../host/probe.ts';
import { type ProbeSet, partDuration, partStart } from '../host/probe-set.ts';

export const SCAN_CHUNK_BYTES = 1024 * 1024;

/** The first `sizeBytes` of `bytes` stand at `offset` of the segment. */
export type ReadListener = (bytes: Buffer, sizeBytes: number, offset: number) => void;

/** A chunk to scan these segments through: no larger than the largest of them needs. */
export function scanChunk(segments: readonly { readonly sizeBytes: number }[]): Buffer {
  const largest = segments.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 0);
  return Buffer.allocUnsafeSlow(Math.min(SCAN_CHUNK_BYTES, largest));
}

/**
 * Reads the frames of one segment in order, through a chunk that is refilled at a frame boundary.
 * Holds at most one chunk, or one frame where a frame is larger. It is a cursor: after `next()`
 * returned `frame`, its fields describe that frame until the next call, and no object is made for
 * it.
 */
export class FrameCursor {
  /** The offset of the current frame, or of the damage. */
  offset: number;
  byteLength = 0;
  type: RecordType = 0;
  txid = 0;
  /**
   * The buffer that holds the current frame, which begins at `frameAt`, and a view of the same
   * bytes.
   */
  bytes: Buffer;
  view: DataView;
  frameAt = 0;
  keyLength = 0;
  /** Set when `next()` returned `damaged`. */
  fault: FrameFault = 'truncated';
  /** Length of the damaged frame by its own header, 0 when it has no plausible one. */
  claimedBytes = 0;

  private readonly probe: ProbeSet | undefined;
  private readonly operation: number;
  private readonly site: ReadSite;
  private readonly file: OpenFile;
  private readonly segmentId: number;
  private readonly endOffset: number;
  private readonly chunk: Buffer;
  private readonly chunkView: DataView;
  private readonly onRead: ReadListener | undefined;
  private chunkStart = 0;
  private chunkEnd = 0;
  private nextOffset: number;

  constructor(options: {
    readonly file: OpenFile;
    readonly probe?: ProbeSet | undefined;
    /** The operation that this reads for; 0 for none. */
    readonly operation?: number;
    readonly site: ReadSite;
    readonly segmentId: number;
    readonly startOffset?: number;
    /** Frames end here at the latest; what lies behind is not looked at. */
    readonly endOffset: number;
    /** The chunk of `scanChunk`. The caller gives it, so that segments scanned in turn share it. */
    readonly chunk: Buffer;
    /** Told of all that is read, in the order in which it is. */
    readonly onRead?: ReadListener;
  }) {
    this.probe = options.probe;
    this.operation = options.operation ?? 0;
    this.site = options.site;
    this.file = options.file;
    this.segmentId = options.segmentId;
    this.endOffset = options.endOffset;
    this.chunk = options.chunk;
    this.chunkView = viewOf(options.chunk);
    this.onRead = options.onRead;
    this.bytes = options.chunk;
    this.view = this.chunkView;
    this.offset = options.startOffset ?? 0;
    this.nextOffset = this.offset;
    this.chunkStart = this.offset;
    this.chunkEnd = this.offset;
  }

  next(): 'frame' | 'end' | 'damaged' {
    const offset = this.nextOffset;
    this.offset = offset;
    this.bytes = this.chunk;
    this.view = this.chunkView;
    const rest = this.endOffset - offset;
    if (rest === 0) return 'end';
    if (rest < HEADER_BYTES) return this.damaged('truncated', 0);
    if (offset + HEADER_BYTES > this.chunkEnd) this.fill(offset);
    let at = offset - this.chunkStart;
    const fault = headerFault(this.view, at);
    if (fault !== undefined) return this.damaged(fault, 0);
    const byteLength = headerFrameBytes(this.view, at);
    // Compared with the file before anything is allocated: a damaged length must not cost memory.
    if (byteLength > rest) return this.damaged('truncated', byteLength);
    if (offset + byteLength > this.chunkEnd) {
      if (byteLength <= this.chunk.length) this.fill(offset);
      else this.readLarge(offset, byteLength);
      at = 0;
    }
    const startNs = partStart(this.operation);
    const ok = crcHolds(this.view, at, byteLength);
    this.probe?.crcValidated(
      this.operation,
      this.site,
      ok,
      byteLength,
      startNs,
      partDuration(this.operation, startNs),
    );
    if (!ok) return this.damaged('crc-mismatch', byteLength);
    this.frameAt = at;
    this.byteLength = byteLength;
    this.type = headerType(this.view, at);
    this.txid = headerTxid(this.view, at);
    this.keyLength = headerKeyLength(this.view, at);
    this.nextOffset = offset + byteLength;
    return 'frame';
  }

  /** Index of the current frame's key in `bytes`. */
  get keyAt(): number {
    return this.frameAt + HEADER_BYTES;
  }

  private damaged(fault: FrameFault, claimedBytes: number): 'damaged' {
    this.fault = fault;
    this.claimedBytes = claimedBytes;
    return 'damaged';
  }

  private fill(offset: number): void {
    const wanted = Math.min(this.chunk.length, this.endOffset - offset);
    this.pread(this.chunk, wanted, offset);
    this.chunkStart = offset;
    this.chunkEnd = offset + wanted;
  }

  private readLarge(offset: number, byteLength: number): void {
    this.bytes = Buffer.allocUnsafeSlow(byteLength);
    this.view = viewOf(this.bytes);
    this.pread(this.bytes, byteLength, offset);
  }

  private pread(target: Buffer, sizeBytes: number, offset: number): void {
    const startNs = partStart(this.operation);
    let count = 0;
    let failure: StoreError | undefined;
    try {
      count = this.file.read(target, offset, sizeBytes);
      if (count < sizeBytes)
        failure = this.failure('SNAPSHOT_GONE', 'became shorter while it was read', offset);
    } catch (error) {
      failure = this.failure('READ_FAILED', 'cannot be read', offset, error);
    }
    this.probe?.read(
      this.operation,
      this.site,
      this.segmentId,
      offset,
      count,
      startNs,
      partDuration(this.operation, startNs),
      failure,
    );
    if (failure !== undefined) throw failure;
    this.onRead?.(target, sizeBytes, offset);
  }

  private failure(code: StoreErrorCode, what: string, offset: number, cause?: unknown): StoreError {
    return new StoreError(code, `${placeName(this.segmentId, offset)} ${what}`, {
      cause,
      segmentId: this.segmentId,
      offset,
    });
  }
}

/** The error of a frame at which a cursor says `damaged`. */
export function damagedFrame(segmentId: number, frame: FrameCursor): StoreError {
  const code = frame.fault === 'crc-mismatch' ? 'CRC_MISMATCH' : 'FRAME_MISMATCH';
  return new StoreError(code, `${frame.fault} at ${placeName(segmentId, frame.offset)}`, {
    segmentId,
    offset: frame.offset,
    reason: frame.fault,
  });
}
