import { createHash, type Hash } from 'node:crypto';
import { seedOf } from '../format/key-hash.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';
import { encodeSealHeader, SEAL_HEADER_BYTES, type Seal } from './seal-file.ts';
import { HintWriter } from './seal-hints.ts';

/** What a builder cannot know from the frames that it is shown. */
type SealRest = Pick<Seal, 'firstId' | 'predecessorIdentity' | 'endsDigest' | 'byteLength'> &
  Partial<Pick<Seal, 'identity' | 'firstTxid' | 'lastTxid'>>;

/** Puts the seal of one segment together, and writes it as a file. */
export class SealBuilder {
  private readonly file: OpenFile;
  private readonly storeId: Buffer;
  private readonly segmentId: number;
  private readonly hints: HintWriter;
  private readonly hash: Hash = createHash('sha256');
  private recordCount = 0;
  private firstTxid = 0;
  private lastTxid = 0;

  /** `file` is empty; the segment is at most `segmentBytes` long. */
  constructor(file: OpenFile, storeId: Buffer, segmentId: number, segmentBytes: number) {
    this.file = file;
    this.storeId = storeId;
    this.segmentId = segmentId;
    this.hints = new HintWriter(file, seedOf(storeId), segmentBytes);
  }

  /** Bytes of the file, once it is finished. */
  get sizeBytes(): number {
    return SEAL_HEADER_BYTES + this.hints.sizeBytes;
  }

  /** The next record of the segment, which lies at `offset` there. */
  add(frame: FrameCursor, offset: number): void {
    this.recordCount++;
    this.firstTxid ||= frame.txid;
    this.lastTxid = frame.txid;
    this.hints.add(frame, offset);
  }

  /** The next bytes of the segment. */
  digest(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** Writes what is left of the file, which is the caller's to sync. */
  finish(rest: SealRest): Seal {
    this.hints.flush();
    const digest = this.hash.digest();
    const seal: Seal = {
      segmentId: this.segmentId,
      storeId: this.storeId,
      recordCount: this.recordCount,
      firstTxid: this.firstTxid,
      lastTxid: this.lastTxid,
      digest,
      identity: digest,
      hintsCrc: this.hints.crc,
      hintCount: this.hints.count,
      hintsBytes: this.hints.sizeBytes,
      ...rest,
    };
    this.file.write(encodeSealHeader(seal), 0);
    return seal;
  }
}
