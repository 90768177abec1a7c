import { createHash, type Hash } from 'node:crypto';
import { segmentPath } from '../format/segment-name.ts';
import { errnoOf, StoreError } from '../host/errors.ts';
import type { FileStat } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import {
  endsDigestOf,
  MERGE_SUFFIX,
  readSeal,
  readSealHeader,
  type Seal,
} from '../seal/seal-file.ts';
import { FrameCursor } from '../segment/frame-cursor.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { findFrame, type SegmentFile } from '../segment/tail-evidence.ts';
import { BYTES_PER_TURN, type Pace } from './verify-pace.ts';
import type { VerifyFault } from './verify-report.ts';

export interface SegmentFault {
  readonly offset: number;
  readonly byteLength: number;
  readonly what: VerifyFault;
  readonly liveKey?: Uint8Array;
}

/** Says what is wrong with a valid record, beside its bytes. */
export type RecordCheck = (frame: FrameCursor) => SegmentFault | undefined;

export interface SegmentVerificationOptions {
  readonly files: StoreFiles;
  readonly storeId: Buffer;
  readonly probe: ProbeSet | undefined;
  readonly operation: number;
  readonly pace: Pace;
  /** Throws when the file that was opened is not the one that is to be looked at. */
  readonly checkOpened: (segmentId: number, stat: FileStat | undefined) => void;
  readonly checkRecord: RecordCheck;
}

/** How far a search for the next valid frame goes between two turns. */
const SEARCH_BYTES = 1024 * 1024;
/** What is left out where the device gives nothing. */
const UNREADABLE_BYTES = 4096;

/** Reads one segment from end to end, past all damage, and holds its seal against it. */
export class SegmentVerification {
  readonly faults: SegmentFault[] = [];
  records = 0;
  /** The first txid that was read; 0 when there was none. */
  firstTxid = 0;
  lastTxid = 0;
  seal: Seal | undefined;
  private readonly options: SegmentVerificationOptions;
  readonly sizeBytes: number;
  private readonly segmentId: number;
  private readonly chunk: Buffer;
  /** The digest of what the seal covers, as far as it was read without a gap. */
  private hash: Hash | undefined;
  private hashedBytes = 0;

  /** `chunk` is what it reads through. */
  constructor(
    options: SegmentVerificationOptions,
    { segmentId, sizeBytes }: LogSegment,
    chunk: Buffer,
  ) {
    this.options = options;
    this.segmentId = segmentId;
    this.sizeBytes = sizeBytes;
    this.chunk = chunk;
  }

  async run(): Promise<void> {
    const { files, checkOpened } = this.options;
    const { fileSystem, directory } = files;
    const seal = await this.readSeal();
    if (seal === 'damaged' || seal === 'foreign') this.fault(0, 0, `${seal}-seal`);
    else this.seal = seal;
    const isThere = await files.useIfPresent(
      segmentPath(directory, this.segmentId),
      async (file) => {
        const stat = file.stat();
        checkOpened(this.segmentId, stat);
        const endOffset = Math.min(stat.sizeBytes, this.sizeBytes);
        // A merge is being published, or was killed there: the old seal no longer counts.
        const merged = readSealHeader(fileSystem, directory, this.segmentId, MERGE_SUFFIX);
        if (
          merged !== undefined &&
          stat.sizeBytes === merged.byteLength &&
          endsDigestOf(file, merged.byteLength) === merged.endsDigest
        )
          this.seal = merged;
        if (this.seal !== undefined) this.hash = createHash('sha256');
        await this.scan(file, endOffset);
        if (endOffset < this.sizeBytes)
          this.fault(endOffset, this.sizeBytes - endOffset, 'segment-too-short');
        else if (this.seal !== undefined) this.checkSeal(file, this.seal, stat.sizeBytes);
        return true;
      },
    );
    if (isThere !== undefined) return;
    checkOpened(this.segmentId, undefined);
    this.fault(0, this.sizeBytes, 'missing-segment');
  }

  private async scan(file: OpenFile, endOffset: number): Promise<void> {
    for (let startOffset = 0; startOffset < endOffset; ) {
      const { probe, operation } = this.options;
      const frame = new FrameCursor({
        file,
        probe,
        operation,
        site: 'verify',
        segmentId: this.segmentId,
        startOffset,
        endOffset,
        chunk: this.chunk,
        onRead: (bytes, sizeBytes, offset) => this.digest(bytes, sizeBytes, offset),
      });
      const ended = await this.scanFrames(frame, endOffset);
      if (ended === 'end') return;
      startOffset = await this.nextFrame({ file, sizeBytes: endOffset }, frame, ended);
      this.fault(frame.offset, startOffset - frame.offset, ended);
    }
  }

  /** Scans to the end, or to what is wrong at `frame.offset`. */
  private async scanFrames(frame: FrameCursor, endOffset: number): Promise<'end' | VerifyFault> {
    const { pace, checkRecord } = this.options;
    for (let turnStart = frame.offset; ; ) {
      let state: ReturnType<FrameCursor['next']>;
      try {
        state = frame.next();
      } catch (error) {
        if (error instanceof StoreError && error.code === 'READ_FAILED') return 'unreadable';
        throw error;
      }
      if (state !== 'frame') {
        await pace.turn((state === 'end' ? endOffset : frame.offset) - turnStart);
        return state === 'end' ? 'end' : frame.fault;
      }
      this.records++;
      if (frame.txid <= this.lastTxid)
        this.fault(frame.offset, frame.byteLength, 'txid-not-increasing');
      else this.lastTxid = frame.txid;
      this.firstTxid ||= frame.txid;
      const fault = checkRecord(frame);
      if (fault !== undefined) this.faults.push(fault);
      const end = frame.offset + frame.byteLength;
      if (end < turnStart + BYTES_PER_TURN) continue;
      await pace.turn(end - turnStart);
      turnStart = end;
    }
  }

  /**
   * Where the next valid record begins behind damage: where the damaged one says that it ends, or
   * wherever one is found.
   */
  private async nextFrame(
    segment: SegmentFile,
    frame: FrameCursor,
    what: VerifyFault,
  ): Promise<number> {
    const { pace } = this.options;
    const endOffset = segment.sizeBytes;
    const claimEnd = frame.offset + frame.claimedBytes;
    // A damaged value may hold what looks like frames: the damaged record's own length is the
    // better guess.
    if (what === 'crc-mismatch') {
      if (claimEnd === endOffset) return endOffset;
      const next = await searchReadable(segment, claimEnd, claimEnd + 1, this.lastTxid, pace.turns);
      if (next === claimEnd) return claimEnd;
    }
    let from = what === 'unreadable' ? frame.offset + UNREADABLE_BYTES : frame.offset + 1;
    while (from < endOffset) {
      const to = Math.min(from + SEARCH_BYTES, endOffset);
      const next = await searchReadable(segment, from, to, this.lastTxid, pace.turns);
      if (typeof next === 'number') return next;
      if (next === 'unreadable') from += UNREADABLE_BYTES;
      else {
        await pace.turn(0);
        from = to;
      }
    }
    return endOffset;
  }

  private digest(bytes: Buffer, sizeBytes: number, offset: number): void {
    const { hash, seal, hashedBytes } = this;
    const end = Math.min(offset + sizeBytes, seal?.byteLength ?? 0);
    if (hash === undefined || offset > hashedBytes || end <= hashedBytes) return;
    hash.update(bytes.subarray(hashedBytes - offset, end - offset));
    this.hashedBytes = end;
  }

  private checkSeal(file: OpenFile, seal: Seal, fileBytes: number): void {
    const { byteLength, digest, endsDigest, recordCount, firstTxid, lastTxid } = seal;
    if (fileBytes < byteLength) {
      this.fault(fileBytes, byteLength - fileBytes, 'segment-too-short');
      return;
    }
    // It went on and was sealed while this ran, or damage was reported for what it is, which
    // explains the digest.
    if (
      this.hashedBytes < byteLength ||
      this.faults.some(({ what }) => !what.endsWith('-seal') || what === 'contradicts-seal')
    )
      return;
    const isWhole = this.sizeBytes === byteLength;
    const holds =
      this.hash?.digest().equals(digest) === true &&
      endsDigestOf(file, byteLength) === endsDigest &&
      (!isWhole ||
        (this.records === recordCount && (this.records === 0 || this.firstTxid >= firstTxid))) &&
      (!isWhole || this.lastTxid <= lastTxid);
    if (!holds) this.fault(0, byteLength, 'contradicts-seal');
  }

  private fault(offset: number, byteLength: number, what: VerifyFault): void {
    this.faults.push({ offset, byteLength, what });
  }

  private async readSeal(): Promise<Seal | 'damaged' | 'foreign' | undefined> {
    const { files, pace, storeId } = this.options;
    const seal = await readSeal(files, this.segmentId, pace.turns);
    if (!(seal instanceof Object)) return seal;
    if (seal.segmentId !== this.segmentId) return 'damaged';
    return seal.storeId.equals(storeId) ? seal : 'foreign';
  }
}

async function searchReadable(
  segment: SegmentFile,
  from: number,
  to: number,
  aboveTxid: number,
  turns: Turns,
): Promise<number | 'none' | 'unreadable'> {
  try {
    return (await findFrame(segment, from, to, aboveTxid, turns)).found?.offset ?? 'none';
  } catch (error) {
    if (errnoOf(error) === 'EIO') return 'unreadable';
    throw error;
  }
}
