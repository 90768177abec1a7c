import { MAX_SEGMENT_ID } from '../format/format.ts';
import type { RecordRef } from '../format/frame.ts';

/**
 * Where a frame lies, by the number of its file: how the keydir and the reader call the place that
 * users call by the id of its segment (`RecordRef`). `offset` and `byteLength` in bytes.
 */
export interface FrameRef {
  readonly file: number;
  readonly offset: number;
  readonly byteLength: number;
}

/**
 * Numbers of the files that stand, or stood, under the ids of segments. The file that an opening
 * finds has its id for a number. A merge puts another file under an id that is in use, and gives it
 * a number beyond all ids: so what the keydir says of the old file and of the new one cannot be
 * confused while both are being read.
 */
export class SegmentFiles {
  private readonly segmentIds = new Map<number, number>();
  private readonly current = new Map<number, number>();
  private next = MAX_SEGMENT_ID + 1;

  /** The number of the file that stands under the id now. */
  fileOf(segmentId: number): number {
    return this.current.get(segmentId) ?? segmentId;
  }

  segmentIdOf(file: number): number {
    return file <= MAX_SEGMENT_ID ? file : (this.segmentIds.get(file) as number);
  }

  /** The same place as users call it. */
  refOf({ file, offset, byteLength }: FrameRef): RecordRef {
    return { segmentId: this.segmentIdOf(file), offset, byteLength };
  }

  /** The same place in the file that stands under the id now. */
  frameOf({ segmentId, offset, byteLength }: RecordRef): FrameRef {
    return { file: this.fileOf(segmentId), offset, byteLength };
  }

  /** A number for a file that is going to stand under the id. */
  reserve(segmentId: number): number {
    const file = this.next++;
    this.segmentIds.set(file, segmentId);
    return file;
  }

  /** Lets the segment be another file from now on. */
  replace(segmentId: number, file: number): void {
    this.current.set(segmentId, file);
  }
}
