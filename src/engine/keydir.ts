import { randomBytes } from 'node:crypto';
import { StoreError } from './errors.ts';
import { RecordType } from './format.ts';
import type { RecordRef } from './frame.ts';
import { type HashSeed, hashKey, SHARDS, seedOf, shardOf } from './key-hash.ts';
import { type EntryVisitor, KeydirShard, type MutableRef } from './keydir-shard.ts';
import type { HintReader } from './seal-hints.ts';
import type { SegmentScanner } from './segment-scanner.ts';

/** Stands where no key has been put yet, so that a small store does not pay for many shards. Holds nothing, ever. */
const EMPTY_SHARD = new KeydirShard();

/**
 * The in-memory map from key to the place of its newest Put. Exact: it holds the keys themselves, in typed arrays
 * that the garbage collector does not scan.
 */
export class Keydir {
  private readonly shards = new Array<KeydirShard>(SHARDS).fill(EMPTY_SHARD);
  private seed: HashSeed;
  private readonly found: MutableRef = { segmentId: 0, offset: 0, byteLength: 0 };
  private count = 0;
  private frameBytes = 0;
  /** What `prepare` found, for the `commit` that follows. */
  private preparedHash = 0;
  private preparedSlot = -1;

  /** The seed is chosen at random unless a test needs to know it. */
  constructor(seed: HashSeed = randomSeed()) {
    this.seed = seed;
  }

  get size(): number {
    return this.count;
  }

  /** Bytes of the frames pointed to. */
  get liveBytes(): number {
    return this.frameBytes;
  }

  /** Bytes of memory held, spare room included. */
  get sizeBytes(): number {
    return this.shards.reduce((sum, shard) => sum + (shard === EMPTY_SHARD ? 0 : shard.sizeBytes), 0);
  }

  has(key: Uint8Array): boolean {
    const hash = hashKey(key, 0, key.length, this.seed);
    return this.shardOf(hash).find(hash, key, 0, key.length) !== -1;
  }

  /** The place of a key's newest Put. The object is filled again by the next call: copy what must outlive it. */
  locate(key: Uint8Array): RecordRef | undefined {
    return this.locateIn(key, 0, key.length);
  }

  /** The same for a key that stands in other bytes. */
  locateIn(bytes: Uint8Array, start: number, end: number): RecordRef | undefined {
    const hash = hashKey(bytes, start, end, this.seed);
    const shard = this.shardOf(hash);
    const slot = shard.find(hash, bytes, start, end);
    if (slot === -1) return undefined;
    shard.read(slot, this.found);
    return this.found;
  }

  set(key: Uint8Array, ref: RecordRef): void {
    this.prepare(key, 0, key.length);
    this.commit(key, 0, key.length, ref);
  }

  /**
   * Finds or makes the room for a key, so that the `commit` that follows cannot fail: what the log has accepted must
   * be found. Throws `OUT_OF_MEMORY`.
   */
  prepare(bytes: Uint8Array, start: number, end: number): void {
    this.prepareHashed(hashKey(bytes, start, end, this.seed), bytes, start, end);
  }

  private prepareHashed(hash: number, bytes: Uint8Array, start: number, end: number): void {
    const slot = this.shardOf(hash).find(hash, bytes, start, end);
    if (slot === -1) {
      try {
        this.ownShardOf(hash).reserve(end - start);
      } catch (error) {
        throw new StoreError('OUT_OF_MEMORY', `no memory for one more key beside ${this.count} others`, {
          cause: error,
        });
      }
    }
    this.preparedHash = hash;
    this.preparedSlot = slot;
  }

  /** Sets the key that was prepared; nothing else may have been called in between. */
  commit(bytes: Uint8Array, start: number, end: number, ref: RecordRef): void {
    const shard = this.shardOf(this.preparedHash);
    this.frameBytes += ref.byteLength;
    if (this.preparedSlot !== -1) {
      this.frameBytes -= shard.update(this.preparedSlot, ref);
      return;
    }
    shard.insert(this.preparedHash, bytes, start, end, ref);
    this.count++;
  }

  /** Was it there? */
  delete(key: Uint8Array): boolean {
    return this.deleteAt(key, 0, key.length);
  }

  /** Before the first key: keys are hashed as all openings of this store hash them. */
  identify(storeId: Buffer): void {
    this.seed = seedOf(storeId);
  }

  /** Replays one hint of a seal file, whose hashes are of the same store. */
  applyHint(segmentId: number, hint: HintReader): void {
    const { hash, bytes, keyAt } = hint;
    const end = keyAt + hint.keyLength;
    if (hint.isDelete) {
      this.deleteHashed(hash, bytes, keyAt, end);
      return;
    }
    this.found.segmentId = segmentId;
    this.found.offset = hint.offset;
    this.found.byteLength = hint.byteLength;
    this.prepareHashed(hash, bytes, keyAt, end);
    this.commit(bytes, keyAt, end, this.found);
  }

  /** Replays one record of the log: a Put or a Delete; Raw records are not part of the view. */
  apply(segmentId: number, frame: SegmentScanner): void {
    if (frame.type === RecordType.Raw) return;
    const start = frame.keyAt;
    const end = start + frame.keyLength;
    if (frame.type === RecordType.Delete) this.deleteAt(frame.bytes, start, end);
    else {
      this.found.segmentId = segmentId;
      this.found.offset = frame.offset;
      this.found.byteLength = frame.byteLength;
      this.prepare(frame.bytes, start, end);
      this.commit(frame.bytes, start, end, this.found);
    }
  }

  /** In no promised order. A key added or deleted while iterating may or may not be seen; none is seen twice. */
  *keys(): Generator<Buffer> {
    for (const shard of this.shards) {
      if (shard === EMPTY_SHARD) continue;
      for (const key of shard.keys()) {
        if (this.has(key)) yield key;
      }
    }
  }

  /** Visits every entry of one shard (of `SHARDS`), in one go. Ref and bytes are those of the keydir: copy what must stay. */
  visitShard(shard: number, visit: EntryVisitor): void {
    this.shards[shard]?.visit(visit);
  }

  /** All keys in byte order. */
  sortedKeys(): Buffer[] {
    return [...this.keys()].sort(Buffer.compare);
  }

  private deleteAt(bytes: Uint8Array, start: number, end: number): boolean {
    return this.deleteHashed(hashKey(bytes, start, end, this.seed), bytes, start, end);
  }

  private deleteHashed(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const shard = this.shardOf(hash);
    const slot = shard.find(hash, bytes, start, end);
    if (slot === -1) return false;
    this.frameBytes -= shard.remove(slot);
    this.count--;
    return true;
  }

  private shardOf(hash: number): KeydirShard {
    return this.shards[shardOf(hash)] as KeydirShard;
  }

  /** The shard that may be written to. */
  private ownShardOf(hash: number): KeydirShard {
    const shard = this.shardOf(hash);
    if (shard !== EMPTY_SHARD) return shard;
    const created = new KeydirShard();
    this.shards[shardOf(hash)] = created;
    return created;
  }
}

function randomSeed(): HashSeed {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}
