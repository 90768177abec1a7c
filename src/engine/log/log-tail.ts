import type { LogSegment } from '../segment/segment-list.ts';
import type { SegmentWriter } from '../segment/segment-writer.ts';

/** A place in the log, and the txid that the record there has or will have. */
export interface LogPosition {
  readonly segmentId: number;
  readonly offset: number;
  readonly nextTxid: number;
}

/**
 * The segments of an open log and where it ends. The writer moves the end, merges replace what is
 * final, and the syncs read both.
 */
export class LogTail {
  /** Segments that are final, ascending. */
  sealed: readonly LogSegment[];
  /** The segment being appended to. */
  active: SegmentWriter;
  nextTxid: number;

  constructor(sealed: readonly LogSegment[], active: SegmentWriter, nextTxid: number) {
    this.sealed = sealed;
    this.active = active;
    this.nextTxid = nextTxid;
  }

  /** Where the next record goes. */
  get end(): LogPosition {
    const { segmentId, sizeBytes } = this.active;
    return { segmentId, offset: sizeBytes, nextTxid: this.nextTxid };
  }

  /** All segments as they are now, ascending; the last is the active one. */
  get segments(): LogSegment[] {
    const { segmentId, sizeBytes } = this.active;
    return [...this.sealed, { segmentId, sizeBytes }];
  }

  /** Bytes of all segments. */
  get totalBytes(): number {
    return this.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** A merge has put these in the place of final segments of the same ids. */
  replace(segments: readonly LogSegment[]): void {
    const changed = new Map(segments.map((segment) => [segment.segmentId, segment]));
    this.sealed = this.sealed.map((segment) => changed.get(segment.segmentId) ?? segment);
  }
}
