import { FRAME_OVERHEAD_BYTES } from '../format/format.ts';
import { SHARDS } from '../format/key-hash.ts';
import { Turns } from '../host/turns.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import type { Keydir } from './keydir.ts';

/** Keydir walked between two turns of the event loop: about a millisecond. */
const BYTES_PER_TURN = 4 * 1024 * 1024;

/**
 * Which places of some segments the keydir points to: one bit for each possible beginning of a
 * frame, which are no closer than the shortest frame is long. Half a percent of the segments,
 * however many keys there are.
 */
export class LivePlaces {
  private readonly bits = new Map<number, Uint8Array>();
  /** How many places nobody took yet, by segment. */
  private readonly left = new Map<number, number>();

  /** Collects the live places while it walks the keydir. */
  static async of(keydir: Keydir, segments: readonly LogSegment[]): Promise<LivePlaces> {
    const places = new LivePlaces();
    for (const { segmentId, sizeBytes } of segments) {
      places.bits.set(
        segmentId,
        new Uint8Array((Math.ceil(sizeBytes / FRAME_OVERHEAD_BYTES) >>> 3) + 1),
      );
    }
    const turns = new Turns(BYTES_PER_TURN);
    const shardBytes = keydir.sizeBytes / SHARDS;
    for (let shard = 0; shard < SHARDS; shard++) {
      keydir.visitShard(shard, ({ file, offset }) =>
        places.set(keydir.files.segmentIdOf(file), offset),
      );
      await turns.after(shardBytes);
    }
    return places;
  }

  /** Is the place live? It is not, the next time. */
  take(segmentId: number, offset: number): boolean {
    const bits = this.bits.get(segmentId);
    if (bits === undefined) return false;
    const index = Math.floor(offset / FRAME_OVERHEAD_BYTES);
    const byte = bits[index >>> 3] as number;
    const mask = 1 << (index & 7);
    if ((byte & mask) === 0) return false;
    bits[index >>> 3] = byte ^ mask;
    this.left.set(segmentId, (this.left.get(segmentId) as number) - 1);
    return true;
  }

  /** Is any place left that nobody took? */
  hasLeft(segmentId: number): boolean {
    return (this.left.get(segmentId) ?? 0) > 0;
  }

  private set(segmentId: number, offset: number): void {
    const bits = this.bits.get(segmentId);
    const index = Math.floor(offset / FRAME_OVERHEAD_BYTES);
    if (bits === undefined || index >>> 3 >= bits.length) return;
    const before = bits[index >>> 3] as number;
    const after = before | (1 << (index & 7));
    if (after === before) return;
    bits[index >>> 3] = after;
    this.left.set(segmentId, (this.left.get(segmentId) ?? 0) + 1);
  }
}
