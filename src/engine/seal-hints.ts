import { crc32c } from './crc32c.ts';
import { type FileSystem, readFully, writeFully } from './file-system.ts';
import { MAX_FRAME_BYTES, MAX_KEY_BYTES, RecordType } from './format.ts';
import { frameBytes, readUint32, writeUint32 } from './frame.ts';
import { type HashSeed, hashKey, SHARDS, shardOf } from './key-hash.ts';
import { SEAL_HEADER_BYTES, type Seal } from './seal-file.ts';
import type { SegmentScanner } from './segment-scanner.ts';

/**
 * A hint tells of one Put or Delete of a segment what the keydir needs to know:
 *
 *     hash(4) keyLength * 2 + isDelete(4) offset(4) byteLength(4) txid(8) key, padded with zeros to 4 bytes
 *
 * Hints lie in blocks of about a megabyte; in a block they are ordered by shard of the keydir, and in a shard as the
 * records are in the log. Replayed in this order they come to the same keydir as the records do, because all records of
 * a key are in one shard, and much sooner, because a processor's cache holds a shard and not the keydir.
 */
const HASH = 0;
const KEY_LENGTH = 4;
const OFFSET = 8;
const LENGTH = 12;
const TXID = 16;
const HINT_BYTES = 24;
const TWO_TO_32 = 2 ** 32;

const BLOCK_BYTES = 1024 * 1024;
const LARGEST_HINT_BYTES = HINT_BYTES + MAX_KEY_BYTES;

function hintBytes(keyLength: number): number {
  return HINT_BYTES + ((keyLength + 3) & ~3);
}

/** Writes hints behind the header of a seal file. Holds two blocks of memory, or as much as the segment's hints can need. */
export class HintWriter {
  count = 0;
  sizeBytes = 0;
  crc = 0;

  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly seed: HashSeed;
  private readonly block: Buffer;
  private readonly sorted: Buffer;
  /** Where each hint of the block begins. */
  private readonly starts: Uint32Array;
  private blockCount = 0;
  private blockBytes = 0;

  constructor(fileSystem: FileSystem, descriptor: number, seed: HashSeed, segmentBytes: number) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.seed = seed;
    // A hint is never longer than its frame.
    const blockBytes = Math.min(BLOCK_BYTES + LARGEST_HINT_BYTES, segmentBytes);
    this.block = Buffer.allocUnsafeSlow(blockBytes);
    this.sorted = Buffer.allocUnsafeSlow(blockBytes);
    this.starts = new Uint32Array(Math.ceil(Math.min(BLOCK_BYTES, blockBytes) / HINT_BYTES) + 1);
  }

  /** Of a record that lies at `offset`. Raw records have no key that anybody could ask for, and get no hint. */
  add(frame: SegmentScanner, offset: number): void {
    if (frame.type === RecordType.Raw) return;
    const { block, blockBytes: at } = this;
    const { keyAt, keyLength } = frame;
    this.starts[this.blockCount++] = at;
    writeUint32(block, at + HASH, hashKey(frame.bytes, keyAt, keyAt + keyLength, this.seed));
    writeUint32(block, at + KEY_LENGTH, keyLength * 2 + (frame.type === RecordType.Delete ? 1 : 0));
    writeUint32(block, at + OFFSET, offset);
    writeUint32(block, at + LENGTH, frame.byteLength);
    writeUint32(block, at + TXID, frame.txid % TWO_TO_32);
    writeUint32(block, at + TXID + 4, Math.floor(frame.txid / TWO_TO_32));
    const end = at + hintBytes(keyLength);
    if ((keyLength & 3) !== 0) writeUint32(block, end - 4, 0);
    frame.bytes.copy(block, at + HINT_BYTES, keyAt, keyAt + keyLength);
    this.blockBytes = end;
    if (this.blockBytes >= BLOCK_BYTES) this.flush();
  }

  /** Writes what is left of the last block. */
  flush(): void {
    if (this.blockCount === 0) return;
    this.sort();
    const sorted = this.sorted.subarray(0, this.blockBytes);
    const position = SEAL_HEADER_BYTES + this.sizeBytes;
    writeFully(this.fileSystem, this.descriptor, sorted, 0, sorted.length, position);
    this.crc = crc32c(sorted, this.crc);
    this.count += this.blockCount;
    this.sizeBytes += this.blockBytes;
    this.blockCount = 0;
    this.blockBytes = 0;
  }

  /** A counting sort by shard, which leaves the order in a shard as it is. */
  private sort(): void {
    const { block, starts, blockCount } = this;
    const placeOf = new Uint32Array(SHARDS);
    const endOf = (index: number) =>
      index + 1 < blockCount ? (starts[index + 1] as number) : this.blockBytes;
    for (let index = 0; index < blockCount; index++) {
      const start = starts[index] as number;
      const shard = shardOf(readUint32(block, start + HASH));
      placeOf[shard] = (placeOf[shard] as number) + endOf(index) - start;
    }
    let place = 0;
    for (let shard = 0; shard < SHARDS; shard++) {
      const sizeBytes = placeOf[shard] as number;
      placeOf[shard] = place;
      place += sizeBytes;
    }
    for (let index = 0; index < blockCount; index++) {
      const start = starts[index] as number;
      const end = endOf(index);
      const shard = shardOf(readUint32(block, start + HASH));
      block.copy(this.sorted, placeOf[shard] as number, start, end);
      placeOf[shard] = (placeOf[shard] as number) + end - start;
    }
  }
}

/** Reads the hints of a valid seal. A cursor, as `SegmentScanner` is one: no object is made for a hint. */
export class HintReader {
  hash = 0;
  isDelete = false;
  offset = 0;
  byteLength = 0;
  /** The key of the present hint lies in `bytes`. */
  readonly bytes: Buffer;
  keyAt = 0;
  keyLength = 0;

  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly endOffset: number;
  private readonly segmentBytes: number;
  private chunkStart: number;
  private chunkEnd: number;
  private nextOffset: number;

  constructor(fileSystem: FileSystem, descriptor: number, seal: Seal, chunk: Buffer) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.bytes = chunk;
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
    const start = this.nextOffset;
    if (start === this.endOffset) return false;
    if (start + HINT_BYTES > this.chunkEnd) this.fill(start);
    const keyLength = readUint32(this.bytes, start - this.chunkStart + KEY_LENGTH) >>> 1;
    const end = start + hintBytes(keyLength);
    if (keyLength > MAX_KEY_BYTES || end > this.endOffset) throw changed();
    if (end > this.chunkEnd) this.fill(start);
    const at = start - this.chunkStart;
    this.hash = readUint32(this.bytes, at + HASH);
    this.isDelete = (readUint32(this.bytes, at + KEY_LENGTH) & 1) === 1;
    this.offset = readUint32(this.bytes, at + OFFSET);
    this.byteLength = readUint32(this.bytes, at + LENGTH);
    // Whoever can write a seal can write its checksum: a place that no frame can have must not become an allocation.
    const fits = this.offset + this.byteLength <= this.segmentBytes;
    if (!fits || this.byteLength < frameBytes(keyLength, 0) || this.byteLength > MAX_FRAME_BYTES) {
      throw changed();
    }
    this.keyAt = at + HINT_BYTES;
    this.keyLength = keyLength;
    this.nextOffset = end;
    return true;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.nextOffset;
  }

  private fill(start: number): void {
    const wanted = Math.min(this.bytes.length, this.endOffset - start);
    if (readFully(this.fileSystem, this.descriptor, this.bytes, 0, wanted, start) < wanted) throw changed();
    this.chunkStart = start;
    this.chunkEnd = start + wanted;
  }
}

function changed(): Error {
  return new Error('a seal file changed while it was read');
}
