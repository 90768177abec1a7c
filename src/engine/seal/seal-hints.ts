import { crc32c } from '../format/crc32c.ts';
import { MAX_FRAME_BYTES, MAX_KEY_BYTES } from '../format/format.ts';
import { frameBytes, viewOf } from '../format/frame.ts';
import { type HashSeed, shardOf } from '../format/key-hash.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';
import {
  BLOCK_BYTES,
  HINT_BYTES,
  HINT_HASH,
  HINT_KEY_LENGTH,
  HINT_LENGTH,
  HINT_OFFSET,
  HintBlock,
  type HintRun,
  hintBytes,
  LARGEST_HINT_BYTES,
} from './hint-block.ts';
import { SEAL_HEADER_BYTES, type Seal } from './seal-file.ts';

/** Writes hints behind the header of a seal file, block by block. Holds two blocks of memory. */
export class HintWriter {
  count = 0;
  sizeBytes = 0;
  crc = 0;

  private readonly file: OpenFile;
  private readonly block: HintBlock;
  private readonly sorted: Buffer;

  constructor(file: OpenFile, seed: HashSeed, segmentBytes: number) {
    this.file = file;
    this.block = new HintBlock(seed, segmentBytes);
    this.sorted = Buffer.allocUnsafeSlow(this.block.bytes.length);
  }

  /** Adds the hint of a record that lies at `offset`. */
  add(frame: FrameCursor, offset: number): void {
    this.block.add(frame, offset);
    if (this.block.isFull) this.flush();
  }

  /** Writes what is left of the last block. */
  flush(): void {
    const { block } = this;
    if (block.count === 0) return;
    const sorted = this.sorted.subarray(0, block.sizeBytes);
    block.copySorted(sorted);
    const position = SEAL_HEADER_BYTES + this.sizeBytes;
    this.file.write(sorted, position);
    this.crc = crc32c(sorted, this.crc);
    this.count += block.count;
    this.sizeBytes += block.sizeBytes;
    block.clear();
  }
}

/** The most hints in one run. The keydir loads the slots of a whole run before it applies any. */
const LONGEST_RUN = 256;

/**
 * Steps through the hints of a valid seal, as `FrameCursor` does through frames: its fields are the
 * present hint, and no object is made for one.
 */
export class HintReader {
  hash = 0;
  isDelete = false;
  offset = 0;
  byteLength = 0;
  /** The key of the present hint lies in `bytes`. */
  readonly bytes: Buffer;
  keyAt = 0;
  keyLength = 0;

  private readonly file: OpenFile;
  private readonly view: DataView;
  private readonly starts = new Uint32Array(LONGEST_RUN);
  private readonly endOffset: number;
  private readonly segmentBytes: number;
  private chunkStart: number;
  private chunkEnd: number;
  private nextOffset: number;

  constructor(file: OpenFile, seal: Seal, chunk: Buffer) {
    this.file = file;
    this.bytes = chunk;
    this.view = viewOf(chunk);
    this.nextOffset = SEAL_HEADER_BYTES;
    this.segmentBytes = seal.byteLength;
    this.endOffset = SEAL_HEADER_BYTES + seal.hintsBytes;
    this.chunkStart = this.nextOffset;
    this.chunkEnd = this.nextOffset;
  }

  /** It stands before the key. */
  get txid(): number {
    return Number(this.bytes.readBigUInt64LE(this.keyAt - 8));
  }

  /** A buffer through which these can be read, one after the other. */
  static chunkFor(seals: Iterable<Seal>): Buffer {
    let most = 0;
    for (const { hintsBytes } of seals) most = Math.max(most, hintsBytes);
    return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES + LARGEST_HINT_BYTES, most));
  }

  /** False behind the last one. Throws when the file is not what `readSeal` found valid. */
  next(): boolean {
    if (this.nextOffset === this.endOffset) return false;
    const { view } = this;
    const size = this.sizeOfNext();
    const at = this.nextOffset - this.chunkStart;
    const keyLengthAndType = view.getUint32(at + HINT_KEY_LENGTH, true);
    this.hash = view.getUint32(at + HINT_HASH, true);
    this.isDelete = (keyLengthAndType & 1) === 1;
    this.offset = view.getUint32(at + HINT_OFFSET, true);
    this.byteLength = view.getUint32(at + HINT_LENGTH, true);
    this.keyAt = at + HINT_BYTES;
    this.keyLength = keyLengthAndType >>> 1;
    this.nextOffset += size;
    return true;
  }

  /**
   * The next hints of one shard, as many as are in memory; undefined behind the last. Good until
   * the next call.
   */
  nextRun(): HintRun | undefined {
    if (this.nextOffset === this.endOffset) return undefined;
    const { view, starts } = this;
    let size = this.sizeOfNext();
    const first = this.nextOffset - this.chunkStart;
    const shard = shardOf(view.getUint32(first + HINT_HASH, true));
    const inMemory = this.chunkEnd - this.chunkStart;
    let at = first;
    let count = 0;
    while (size > 0 && shardOf(view.getUint32(at + HINT_HASH, true)) === shard) {
      starts[count++] = at;
      at += size;
      size = count < LONGEST_RUN ? this.sizeAt(at, inMemory) : 0;
    }
    this.nextOffset += at - first;
    return { view, starts, shard, from: 0, to: count, sizeBytes: at - first };
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.nextOffset;
  }

  /** The share of the hints that was read into memory. */
  get readPart(): number {
    return (this.chunkEnd - SEAL_HEADER_BYTES) / (this.endOffset - SEAL_HEADER_BYTES);
  }

  /** How long the next hint is, once it is in memory. */
  private sizeOfNext(): number {
    const start = this.nextOffset;
    const size = this.sizeAt(start - this.chunkStart, this.chunkEnd - this.chunkStart);
    if (size > 0) return size;
    this.fill(start);
    const filled = this.sizeAt(0, this.chunkEnd - start);
    if (filled === 0) throw changed();
    return filled;
  }

  /** How long the hint is that begins there in the chunk; 0 where not all of it is in memory. */
  private sizeAt(at: number, inMemory: number): number {
    const { view } = this;
    if (at + HINT_BYTES > inMemory) return 0;
    const keyLength = view.getUint32(at + HINT_KEY_LENGTH, true) >>> 1;
    if (keyLength > MAX_KEY_BYTES) throw changed();
    const size = hintBytes(keyLength);
    if (at + size > inMemory) return 0;
    // Whoever can write a seal can write its checksum: a place that no frame can have must not
    // become an allocation.
    const byteLength = view.getUint32(at + HINT_LENGTH, true);
    const fits = view.getUint32(at + HINT_OFFSET, true) + byteLength <= this.segmentBytes;
    if (!fits || byteLength < frameBytes(keyLength, 0) || byteLength > MAX_FRAME_BYTES)
      throw changed();
    const padding = size - HINT_BYTES - keyLength;
    // Keys are compared with it.
    if (padding > 0 && view.getUint32(at + size - 4, true) >>> (32 - padding * 8) !== 0)
      throw changed();
    return size;
  }

  private fill(start: number): void {
    const wanted = Math.min(this.bytes.length, this.endOffset - start);
    if (this.file.read(this.bytes, start, wanted) < wanted) throw changed();
    this.chunkStart = start;
    this.chunkEnd = start + wanted;
  }
}

function changed(): Error {
  return new Error('a seal file changed while it was read');
}
