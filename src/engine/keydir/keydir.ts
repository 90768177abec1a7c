import { randomBytes } from 'node:crypto';
import { RecordType } from '../format/format.ts';
import type { RecordRef } from '../format/frame.ts';
import { type HashSeed, hashKey, SHARDS, seedOf, shardOf } from '../format/key-hash.ts';
import { StoreError } from '../host/errors.ts';
import type { HintRun } from '../seal/hint-block.ts';
import type { HintReader } from '../seal/seal-hints.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';
import { type FrameRef, SegmentFiles } from '../segment/segment-files.ts';
import { entryWords, type MutableFrameRef } from './keydir-entry.ts';
import { KeydirReplay } from './keydir-replay.ts';
import {
  type EntryVisitor,
  KeydirShard,
  MAX_SHARD_WORDS,
  type ReplayTally,
} from './keydir-shard.ts';
import { SegmentUsage } from './segment-usage.ts';

/**
 * Stands where no key has been put yet, so that a small store does not pay for many shards. Holds
 * nothing, ever.
 */
const EMPTY_SHARD = new KeydirShard();

/**
 * The in-memory map from key to the place of its newest Put. Exact: it holds the keys themselves,
 * in typed arrays that the garbage collector does not scan. It calls a place by the
 * number of its file (see `SegmentFiles`); what was just appended is in the active segment, whose
 * file has the id of the segment for a number, because no merge ever replaces it.
 */
export class Keydir {
  readonly usage = new SegmentUsage();
  readonly files = new SegmentFiles();
  seed: HashSeed;
  private readonly shards = new Array<KeydirShard>(SHARDS).fill(EMPTY_SHARD);
  private readonly found: MutableFrameRef = { file: 0, offset: 0, byteLength: 0 };
  private readonly replaced: MutableFrameRef = { file: 0, offset: 0, byteLength: 0 };
  private readonly shardWords: number;
  private count = 0;
  private frameBytes = 0;
  /** What `prepare` found, for the `commit` that follows. */
  private preparedHash = 0;
  private preparedSlot = -1;
  private readonly tally: ReplayTally = {
    putBytes: 0,
    deleteBytes: 0,
    forget: (file, byteLength) => {
      this.usage.of(file).liveBytes -= byteLength;
      this.frameBytes -= byteLength;
    },
  };
  /** What `reserve` found, for those that follow; and a count a shard, used again each time. */
  private reservedHashes = new Uint32Array(0);
  private readonly entries = new Uint32Array(SHARDS);
  private readonly words = new Uint32Array(SHARDS);

  /** The seed is chosen at random, and shards are as large as they can be, unless a test asks. */
  constructor(seed: HashSeed = randomSeed(), shardWords = MAX_SHARD_WORDS) {
    this.seed = seed;
    this.shardWords = shardWords;
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
    return this.shards.reduce(
      (sum, shard) => sum + (shard === EMPTY_SHARD ? 0 : shard.sizeBytes),
      0,
    );
  }

  has(key: Uint8Array): boolean {
    const hash = hashKey(key, 0, key.length, this.seed);
    return this.shardOf(hash).find(hash, key, 0, key.length) !== -1;
  }

  /**
   * The place of a key's newest Put. The object is filled again by the next call: copy what must
   * outlive it.
   */
  locate(key: Uint8Array): FrameRef | undefined {
    return this.locateIn(key, 0, key.length);
  }

  /** The same for a key that stands in other bytes. */
  locateIn(bytes: Uint8Array, start: number, end: number): FrameRef | undefined {
    const hash = hashKey(bytes, start, end, this.seed);
    const shard = this.shardOf(hash);
    const slot = shard.find(hash, bytes, start, end);
    if (slot === -1) return undefined;
    shard.read(slot, this.found);
    return this.found;
  }

  /** Points a key to the record that was just appended for it. */
  set(key: Uint8Array, appended: RecordRef): void {
    this.prepare(key, 0, key.length);
    this.commit(key, 0, key.length, appended);
  }

  /**
   * Finds or makes the room for a key, so that the `commit` that follows cannot fail: what the log
   * has accepted must be found. Throws `OUT_OF_MEMORY`.
   */
  prepare(bytes: Uint8Array, start: number, end: number): void {
    const hash = hashKey(bytes, start, end, this.seed);
    const slot = this.shardOf(hash).find(hash, bytes, start, end);
    if (slot === -1) {
      try {
        this.ownShardOf(shardOf(hash)).reserve(1, entryWords(end - start));
      } catch (error) {
        throw this.outOfMemory(1, error);
      }
    }
    this.preparedHash = hash;
    this.preparedSlot = slot;
  }

  /**
   * Makes the room for all of these keys at once, and remembers their hashes: for each, in this
   * order, `setReserved` must follow, or `delete`. Throws `OUT_OF_MEMORY`, and then nothing has
   * changed.
   */
  reserve(keys: readonly Uint8Array[]): void {
    try {
      if (this.reservedHashes.length < keys.length)
        this.reservedHashes = new Uint32Array(keys.length * 2);
      const { reservedHashes, entries, words } = this;
      entries.fill(0);
      words.fill(0);
      for (const [index, key] of keys.entries()) {
        const hash = hashKey(key, 0, key.length, this.seed);
        reservedHashes[index] = hash;
        const shard = shardOf(hash);
        entries[shard] = (entries[shard] as number) + 1;
        words[shard] = (words[shard] as number) + entryWords(key.length);
      }
      for (let shard = 0; shard < SHARDS; shard++) {
        if (entries[shard] === 0) continue;
        this.ownShardOf(shard).reserve(entries[shard] as number, words[shard] as number);
      }
    } catch (error) {
      throw this.outOfMemory(keys.length, error);
    }
  }

  /** Sets the key that stood at `index` of those reserved. */
  setReserved(index: number, key: Uint8Array, appended: RecordRef): void {
    this.preparedHash = this.reservedHashes[index] as number;
    this.preparedSlot = this.shardOf(this.preparedHash).find(this.preparedHash, key, 0, key.length);
    this.commit(key, 0, key.length, appended);
  }

  private outOfMemory(keys: number, cause: unknown): StoreError {
    return new StoreError(
      'OUT_OF_MEMORY',
      `no memory for ${keys} more keys beside ${this.count} others`,
      {
        cause,
      },
    );
  }

  /**
   * Points the key that was prepared to the record that was just appended for it; nothing else may
   * have been called in between.
   */
  commit(bytes: Uint8Array, start: number, end: number, appended: RecordRef): void {
    const { segmentId: file, offset, byteLength } = appended;
    const shard = this.shardOf(this.preparedHash);
    const usage = this.usage.of(file);
    usage.putBytes += byteLength;
    usage.liveBytes += byteLength;
    this.frameBytes += byteLength;
    if (this.preparedSlot !== -1) {
      shard.read(this.preparedSlot, this.replaced);
      this.forgetFrame(this.replaced);
      shard.update(this.preparedSlot, file, offset, byteLength);
      return;
    }
    shard.insert(this.preparedHash, bytes, start, end, file, offset, byteLength);
    this.count++;
  }

  /** Applies the Delete that was just appended. Was the key there? */
  delete(key: Uint8Array, { segmentId: file, byteLength }: RecordRef): boolean {
    this.usage.of(file).deleteBytes += byteLength;
    return this.deleteAt(key, 0, key.length);
  }

  /** Does the keydir point to this place for this key? */
  isLive(bytes: Uint8Array, start: number, end: number, file: number, offset: number): boolean {
    const ref = this.locateIn(bytes, start, end);
    return ref !== undefined && ref.file === file && ref.offset === offset;
  }

  hasAt(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = hashKey(bytes, start, end, this.seed);
    return this.shardOf(hash).find(hash, bytes, start, end) !== -1;
  }

  /**
   * Points a key to its copy in another file, if it still points into one of those that were
   * copied.
   */
  move(hint: HintReader, from: ReadonlySet<number>, toFile: number): void {
    const { hash, bytes, keyAt, offset, byteLength } = hint;
    const shard = this.shardOf(hash);
    const slot = shard.find(hash, bytes, keyAt, keyAt + hint.keyLength);
    if (slot === -1) return;
    shard.read(slot, this.replaced);
    if (!from.has(this.replaced.file)) return;
    this.usage.of(this.replaced.file).liveBytes -= byteLength;
    this.usage.of(toFile).liveBytes += byteLength;
    shard.update(slot, toFile, offset, byteLength);
  }

  /** Called before the first key: keys are hashed as all openings of this store hash them. */
  identify(storeId: Buffer): void {
    this.seed = seedOf(storeId);
  }

  /**
   * Takes what an opening finds in so many bytes of log. Nothing else may change the keydir until
   * that has finished.
   */
  replay(logBytes: number): KeydirReplay {
    try {
      return new KeydirReplay(this, logBytes);
    } catch (error) {
      throw this.outOfMemory(0, error);
    }
  }

  /**
   * Replays hints of one file, whose hashes are of the same store, and whose offsets count from
   * `base`. Room is made for `times` as many. Throws `OUT_OF_MEMORY`.
   */
  applyRun(file: number, base: number, run: HintRun, times: number): void {
    const { tally } = this;
    const usage = this.usage.of(file);
    tally.putBytes = 0;
    tally.deleteBytes = 0;
    try {
      const shard = this.ownShardOf(run.shard);
      const before = shard.count;
      shard.replay(run, file, base, times, tally);
      this.count += shard.count - before;
    } catch (error) {
      throw this.outOfMemory(run.to - run.from, error);
    }
    usage.putBytes += tally.putBytes;
    usage.liveBytes += tally.putBytes;
    usage.deleteBytes += tally.deleteBytes;
    this.frameBytes += tally.putBytes;
  }

  /** Gives back what a replay expected and did not find. */
  trim(): void {
    for (const shard of this.shards) if (shard !== EMPTY_SHARD) shard.trim();
  }

  /**
   * Replays one record at the end of the log: a Put or a Delete; Raw records are not part of the
   * view.
   */
  apply(segmentId: number, frame: FrameCursor): void {
    if (frame.type === RecordType.Raw) return;
    const start = frame.keyAt;
    const end = start + frame.keyLength;
    const { offset, byteLength } = frame;
    if (frame.type === RecordType.Delete) {
      this.usage.of(segmentId).deleteBytes += byteLength;
      this.deleteAt(frame.bytes, start, end);
    } else {
      this.prepare(frame.bytes, start, end);
      this.commit(frame.bytes, start, end, { segmentId, offset, byteLength });
    }
  }

  /**
   * The keys, in no promised order. A key that is added or deleted while iterating may or may not
   * be seen; none is seen twice.
   */
  *keys(): Generator<Buffer> {
    for (const shard of this.shards) {
      if (shard === EMPTY_SHARD) continue;
      for (const key of shard.keys()) {
        if (this.has(key)) yield key;
      }
    }
  }

  /**
   * Visits every entry of one shard (of `SHARDS`), in one go. Ref and bytes are those of the
   * keydir: copy what must stay.
   */
  visitShard(shard: number, visit: EntryVisitor): void {
    this.shards[shard]?.visit(visit);
  }

  /** All keys in byte order. */
  sortedKeys(): Buffer[] {
    return [...this.keys()].sort(Buffer.compare);
  }

  private deleteAt(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = hashKey(bytes, start, end, this.seed);
    const shard = this.shardOf(hash);
    const slot = shard.find(hash, bytes, start, end);
    if (slot === -1) return false;
    shard.read(slot, this.replaced);
    this.forgetFrame(this.replaced);
    shard.remove(slot);
    this.count--;
    return true;
  }

  private forgetFrame({ file, byteLength }: FrameRef): void {
    this.usage.of(file).liveBytes -= byteLength;
    this.frameBytes -= byteLength;
  }

  private shardOf(hash: number): KeydirShard {
    return this.shards[shardOf(hash)] as KeydirShard;
  }

  /** The shard that may be written to. */
  private ownShardOf(index: number): KeydirShard {
    const shard = this.shards[index] as KeydirShard;
    if (shard !== EMPTY_SHARD) return shard;
    const created = new KeydirShard(this.shardWords);
    this.shards[index] = created;
    return created;
  }
}

function randomSeed(): HashSeed {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}
