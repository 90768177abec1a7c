import { MAX_KEY_BYTES, RecordType } from '../format/format.ts';
import { viewOf } from '../format/frame.ts';
import { type HashSeed, hashKey, SHARDS, shardOf } from '../format/key-hash.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';

/**
 * A hint tells of one Put or Delete of a segment what the keydir needs to know:
 *
 *     hash(4) keyLength * 2 + isDelete(4) offset(4) byteLength(4) txid(8) key, padded with zeros to 4 bytes
 *
 * Hints are gathered in blocks of about a megabyte; in a block they are ordered by shard of the
 * keydir, and in a shard as the records are in the log. Replayed in this order they come to the
 * same keydir as the records do, because all records of a key are in one shard, and much sooner,
 * because a processor's cache holds a shard and not the keydir.
 */
export const HINT_HASH = 0;
export const HINT_KEY_LENGTH = 4;
export const HINT_OFFSET = 8;
export const HINT_LENGTH = 12;
const HINT_TXID = 16;
/** Bytes that stand before the key of a hint. */
export const HINT_BYTES = 24;
const TWO_TO_32 = 2 ** 32;

export const BLOCK_BYTES = 1024 * 1024;
export const LARGEST_HINT_BYTES = HINT_BYTES + MAX_KEY_BYTES;

export function hintBytes(keyLength: number): number {
  return HINT_BYTES + ((keyLength + 3) & ~3);
}

/**
 * Hints of one shard, in the order of the log, which begin at `starts[from, to)` in the bytes of
 * `view`.
 */
export interface HintRun {
  readonly view: DataView;
  readonly starts: Uint32Array;
  readonly shard: number;
  readonly from: number;
  readonly to: number;
  /** Bytes of all hints in the run. */
  readonly sizeBytes: number;
}

/**
 * One block in memory. Holds a mebibyte and a hint, or as much as records of `logBytes` can need.
 */
export class HintBlock {
  count = 0;
  sizeBytes = 0;
  readonly bytes: Buffer;
  private readonly seed: HashSeed;
  private readonly view: DataView;
  /** Where each hint begins, as they came and in their order. */
  private readonly starts: Uint32Array;
  private readonly ordered: Uint32Array;
  /** How many hints each shard has, and how many bytes they take. */
  private readonly counts = new Uint32Array(SHARDS);
  private readonly sizes = new Uint32Array(SHARDS);
  private readonly nextOf = new Uint32Array(SHARDS);

  constructor(seed: HashSeed, logBytes: number) {
    this.seed = seed;
    // A hint is never longer than its frame.
    this.bytes = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES + LARGEST_HINT_BYTES, logBytes));
    this.view = viewOf(this.bytes);
    const mostHints = Math.ceil(Math.min(BLOCK_BYTES, this.bytes.length) / HINT_BYTES) + 1;
    this.starts = new Uint32Array(mostHints);
    this.ordered = new Uint32Array(mostHints);
  }

  /** Then it must be emptied before the next hint. */
  get isFull(): boolean {
    return this.sizeBytes >= BLOCK_BYTES;
  }

  /**
   * Adds the hint of a record that lies at `offset`. Raw records have no key that anybody could ask
   * for, and get no hint.
   */
  add(frame: FrameCursor, offset: number): void {
    if (frame.type === RecordType.Raw) return;
    const { view, sizeBytes: at } = this;
    const { keyAt, keyLength } = frame;
    const hash = hashKey(frame.bytes, keyAt, keyAt + keyLength, this.seed);
    const size = hintBytes(keyLength);
    view.setUint32(at + HINT_HASH, hash, true);
    view.setUint32(
      at + HINT_KEY_LENGTH,
      keyLength * 2 + (frame.type === RecordType.Delete ? 1 : 0),
      true,
    );
    view.setUint32(at + HINT_OFFSET, offset, true);
    view.setUint32(at + HINT_LENGTH, frame.byteLength, true);
    view.setUint32(at + HINT_TXID, frame.txid, true);
    view.setUint32(at + HINT_TXID + 4, Math.floor(frame.txid / TWO_TO_32), true);
    copyPadded(frame.view, keyAt, keyLength, view, at + HINT_BYTES);
    this.starts[this.count++] = at;
    this.sizeBytes = at + size;
    const shard = shardOf(hash);
    this.counts[shard] = (this.counts[shard] as number) + 1;
    this.sizes[shard] = (this.sizes[shard] as number) + size;
  }

  /** Its hints, shard by shard. */
  *runs(): Generator<HintRun> {
    const { view, ordered: starts, counts } = this;
    this.order();
    for (let shard = 0, from = 0; shard < SHARDS; shard++) {
      const to = from + (counts[shard] as number);
      if (to > from)
        yield { view, starts, shard, from, to, sizeBytes: this.sizes[shard] as number };
      from = to;
    }
  }

  /** Copies them there in that order. */
  copySorted(target: Buffer): void {
    const to = viewOf(target);
    let place = 0;
    for (const { view, starts, from, to: end } of this.runs()) {
      for (let index = from; index < end; index++) {
        const start = starts[index] as number;
        const size = hintBytes(view.getUint32(start + HINT_KEY_LENGTH, true) >>> 1);
        for (let at = 0; at < size; at += 4)
          to.setUint32(place + at, view.getUint32(start + at, true), true);
        place += size;
      }
    }
  }

  clear(): void {
    this.count = 0;
    this.sizeBytes = 0;
    this.counts.fill(0);
    this.sizes.fill(0);
  }

  /** A counting sort, which leaves the order in a shard as it is. */
  private order(): void {
    const { view, starts, ordered, counts, nextOf, count } = this;
    nextOf[0] = 0;
    for (let shard = 1; shard < SHARDS; shard++) {
      nextOf[shard] = (nextOf[shard - 1] as number) + (counts[shard - 1] as number);
    }
    for (let index = 0; index < count; index++) {
      const start = starts[index] as number;
      const shard = shardOf(view.getUint32(start + HINT_HASH, true));
      const place = nextOf[shard] as number;
      ordered[place] = start;
      nextOf[shard] = place + 1;
    }
  }
}

/**
 * Copies a key, and fills the last four bytes up with zeros. Four at a time: a call of native code
 * costs more.
 */
function copyPadded(
  source: DataView,
  from: number,
  length: number,
  target: DataView,
  to: number,
): void {
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4)
    target.setUint32(to + at, source.getUint32(from + at, true), true);
  if (whole === length) return;
  let last = 0;
  for (let at = length - 1; at >= whole; at--) last = (last << 8) | source.getUint8(from + at);
  target.setUint32(to + whole, last, true);
}
