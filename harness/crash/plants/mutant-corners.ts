import { setImmediate as nextTurn } from 'node:timers/promises';
import { HEADER_BYTES, RecordType } from '../../../src/engine/format/format.ts';
import { encodeFrame, frameBytes } from '../../../src/engine/format/frame.ts';
import { hashKey } from '../../../src/engine/format/key-hash.ts';
import { segmentIds, segmentPath } from '../../../src/engine/format/segment-name.ts';
import { openLog, openStore, type RecordRef, StoreError } from '../../../src/engine/index.ts';
import { Keydir } from '../../../src/engine/keydir/keydir.ts';
import {
  DurableMarkWriter,
  MARK_FILE,
  NONCE_BYTES,
} from '../../../src/engine/lock/durable-mark.ts';
import { type DiskImage, fileSystemOf, imageOf } from '../../file-systems/disk-image.ts';
import { intercept, isChange } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { ARGUMENT_CORNERS } from './mutant-corners-of-arguments.ts';
import { END_CORNERS } from './mutant-corners-of-ends.ts';
import { EVIDENCE_CORNERS } from './mutant-corners-of-evidence.ts';
import { IDENTITY_CORNERS } from './mutant-corners-of-identity.ts';
import { MERGE_CORNERS } from './mutant-corners-of-merge.ts';
import { SEAL_CORNERS } from './mutant-corners-of-seals.ts';
import { UPKEEP_CORNERS } from './mutant-corners-of-upkeep.ts';

/**
 * Corners of the engine that small stores with few keys never come to: the edges of the chunk that
 * a log is scanned through, the limit of unsynced records, keys with the same hash, and frames that
 * are whole but not the one asked for. Each throws `InvariantBroken`.
 */
export const CORNERS: readonly (() => void | Promise<void>)[] = [
  keepIdsGapless,
  hearOfFailedMark,
  hearOfFailedSegment,
  believeNoFailedSync,
  tellKeysWithOneHashApart,
  refuseFrameOfAnotherKey,
  refuseFrameOfAnotherType,
  copyOnlyWhatIsLive,
  openAfterEveryKilledOpening,
  openAfterEveryKilledRemoval,
  ...IDENTITY_CORNERS,
  ...SEAL_CORNERS,
  ...EVIDENCE_CORNERS,
  ...MERGE_CORNERS,
  ...END_CORNERS,
  ...ARGUMENT_CORNERS,
  ...UPKEEP_CORNERS,
  // These take a second or more each.
  readAcrossChunks,
  readLongHeaderAcrossChunks,
  keepUnsyncedWithinLimit,
  refuseFlippedBits,
];

const DIRECTORY = '/store';
const MARK_PATH = `${DIRECTORY}/${MARK_FILE}`;
const CHUNK_BYTES = 1024 * 1024;
const MOST_UNSYNCED_RECORDS = 2 ** 19;

/**
 * Killed before any mark says that the log has moved on from its empty first segment, which the
 * next opening removes; and that is killed at each of its changes in turn.
 */
async function openAfterEveryKilledOpening(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.rotate();
  store.put('key', 'value');
  const killed = imageOf(fileSystem);
  await store.close();
  await killEveryOpening(killed);
}

/** In front stand two empty segments with seals, of which the second names what the first held. */
async function openAfterEveryKilledRemoval(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.delete('gone');
  store.rotate();
  await store.compact();
  store.rotate();
  await store.sealsWritten();
  store.put('key', 'value');
  const killed = imageOf(fileSystem);
  await store.close();
  if (killed.files.size < 7) throw new Error('two segments and two seals should stand in front');
  await killEveryOpening(killed);
}

/** Opens a store with one pair, `key` and `value`, again after each way to die in an opening. */
async function killEveryOpening(killed: DiskImage): Promise<void> {
  for (let dieAt = 0; ; dieAt++) {
    const dying = fileSystemOf(killed);
    let changes = 0;
    const mortal = intercept(dying, (call) => {
      if (isChange(call) && changes++ >= dieAt) throw systemError('EIO', call.method);
      return call.proceed();
    });
    const opened = await openStore(DIRECTORY, { fileSystem: mortal }).catch(() => undefined);
    const left = fileSystemOf(imageOf(dying));
    const again = await openStore(DIRECTORY, { fileSystem: left }).catch((error) => error);
    const found = again instanceof Error ? again.message : String(again.get('key'));
    if (found !== 'value')
      throw new InvariantBroken('I1', `after an opening that died in change ${dieAt}: ${found}`);
    await again.close();
    if (opened === undefined) continue;
    await opened.close().catch(() => {});
    return;
  }
}

/** Frames that end, and headers that lie, at every place around the end of a chunk. */
async function readAcrossChunks(): Promise<void> {
  for (let shift = -70; shift <= 70; shift++) {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore(DIRECTORY, { fileSystem });
    const overhead = frameBytes('large'.length, 0);
    store.put('large', Buffer.alloc(CHUNK_BYTES + shift - overhead - frameBytes(1, 0), 1));
    store.put('a', '');
    store.put('b', 'after the edge');
    store.put('c', Buffer.alloc(200, 2));
    const again = await openStore(DIRECTORY, { fileSystem: fileSystem.afterProcessDeath() });
    if (again.size !== 4 || again.get('b')?.toString() !== 'after the edge')
      throw new InvariantBroken(
        'I1',
        `with a chunk's edge at byte ${-shift} of a frame, ${again.size} of 4 records are read`,
      );
  }
}

/** The last byte of a header is zero unless the payload is longer than 16 MiB. */
async function readLongHeaderAcrossChunks(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.put('a', Buffer.alloc(CHUNK_BYTES - HEADER_BYTES + 1 - frameBytes(1, 0), 1));
  store.put('b', Buffer.alloc(17 * 1024 * 1024, 2));
  const again = await openStore(DIRECTORY, { fileSystem: fileSystem.afterProcessDeath() });
  if (again.size !== 2)
    throw new InvariantBroken(
      'I1',
      `with a chunk's edge before the last byte of a header, ${again.size} of 2 records are read`,
    );
}

/**
 * A segment behind the mark may be missing. No later opening leaves its id out, which would be
 * refused.
 */
async function keepIdsGapless(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  await store.putDurable('a', 'durable');
  const mark = fileSystem.readFile(MARK_PATH);
  store.rotate();
  store.put('b', 'lost');
  store.rotate();
  store.put('c', 'lost with it');
  const crashed = fileSystem.afterProcessDeath();
  crashed.mutate(MARK_PATH, () => mark);
  crashed.remove(segmentPath(DIRECTORY, 2));
  await (await openStore(DIRECTORY, { fileSystem: crashed })).close();
  const ids = segmentIds(crashed.list(DIRECTORY));
  if (ids.join() !== '1,2,3')
    throw new InvariantBroken(
      'I7',
      `after a segment was missing, those with the ids ${ids} are there`,
    );
}

/** A snapshot holds the newest value of each key that is there, and no key that was deleted. */
async function copyOnlyWhatIsLive(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.batch([
    { type: 'put', key: 'deleted', value: 'old' },
    { type: 'put', key: 'kept', value: 'old' },
    { type: 'del', key: 'deleted' },
    { type: 'put', key: 'kept', value: 'new' },
  ]);
  await store.compactTo('/copy');
  await store.close();
  const copy = await openStore('/copy', { fileSystem });
  const pairs = [...copy.entries()].map(([key, value]) => `${key}=${value}`);
  await copy.close();
  if (pairs.join() !== 'kept=new')
    throw new InvariantBroken('outputs', `compactTo has copied ${pairs}, and not kept=new`);
}

/**
 * Never more records unsynced than txids are set aside for, and what is called durable has been
 * synced.
 */
async function keepUnsyncedWithinLimit(): Promise<void> {
  const fileSystem = new SyncCountingFileSystem();
  const log = await openLog(DIRECTORY, { fileSystem });
  let most = 0;
  for (let count = 0; count < MOST_UNSYNCED_RECORDS + 10; count++) {
    log.append('');
    if (count >= MOST_UNSYNCED_RECORDS - 1) most = Math.max(most, log.stats().unsyncedRecords);
  }
  if (most > MOST_UNSYNCED_RECORDS)
    throw new InvariantBroken(
      'I7',
      `${most} records are unsynced, and txids are set aside for ${MOST_UNSYNCED_RECORDS}`,
    );
  const { segmentId, offset } = log.durableEnd;
  const synced = fileSystem.syncedBytesOf(segmentPath(DIRECTORY, segmentId));
  if (offset > synced)
    throw new InvariantBroken(
      'I2',
      `byte ${offset} is called durable, and ${synced} bytes were synced`,
    );
}

class SyncCountingFileSystem extends MemoryFileSystem {
  private readonly syncedBytes = new Map<number, number>();

  syncedBytesOf(path: string): number {
    return this.syncedBytes.get(this.stat(path)?.inode as number) ?? 0;
  }

  override dataSync(descriptor: number): void {
    super.dataSync(descriptor);
    const { inode, sizeBytes } = this.statDescriptor(descriptor);
    this.syncedBytes.set(inode, sizeBytes);
  }
}

/**
 * A write-back fails, and each descriptor hears of it once: so must a blocking sync of the mark
 * beside one in the thread pool.
 */
async function hearOfFailedMark(): Promise<void> {
  const fileSystem = new FailedWriteBackFileSystem();
  const id = Buffer.alloc(NONCE_BYTES);
  const mark = DurableMarkWriter.open(fileSystem, '/', undefined, id, id);
  mark.write(1, 0, 1, false);
  fileSystem.failWriteBack(`/${MARK_FILE}`);
  const pooled = mark.syncAsync().catch(() => {});
  try {
    mark.sync();
  } catch {
    return;
  } finally {
    await pooled;
  }
  throw new InvariantBroken(
    'I8',
    'a blocking sync of the mark succeeds although its bytes were lost',
  );
}

/**
 * The same for a segment: the rotation that waits for it comes while the thread pool knows, and has
 * not answered.
 */
async function hearOfFailedSegment(): Promise<void> {
  const fileSystem = new FailedWriteBackFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.put('key', 'lost');
  const poolKnows = fileSystem.failWriteBack(segmentPath(DIRECTORY, 1));
  const pooled = store.sync().catch(() => {});
  await poolKnows;
  store.rotate();
  store.put('key', 'in the next segment');
  try {
    store.rotate();
  } catch {
    return;
  } finally {
    await pooled;
  }
  throw new InvariantBroken('I8', 'segment 3 is created although bytes of segment 1 were lost');
}

/** A write-back fails, and whoever asks again is told nothing: the first answer counts. */
async function believeNoFailedSync(): Promise<void> {
  const fileSystem = new FailedWriteBackFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.put('key', 'lost');
  fileSystem.failWriteBack(segmentPath(DIRECTORY, 1));
  for (const which of ['a sync', 'the sync after one that failed']) {
    const isAcknowledged = await store.sync().then(
      () => true,
      () => false,
    );
    if (isAcknowledged)
      throw new InvariantBroken(
        'I9',
        `${which} is acknowledged although bytes of segment 1 were lost`,
      );
  }
}

/**
 * Loses what one file got; the answer of the thread pool comes in a later turn of the event loop.
 */
class FailedWriteBackFileSystem extends MemoryFileSystem {
  private failedInode: number | undefined;
  private readonly told = new Set<number>();
  private onTold = () => {};

  /** Settles when the kernel has told the first descriptor of it. */
  failWriteBack(path: string): Promise<void> {
    this.failedInode = this.stat(path)?.inode;
    return new Promise((resolve) => {
      this.onTold = resolve;
    });
  }

  override dataSync(descriptor: number): void {
    if (this.statDescriptor(descriptor).inode === this.failedInode && !this.told.has(descriptor)) {
      this.told.add(descriptor);
      this.onTold();
      throw systemError('EIO', 'fdatasync');
    }
    super.dataSync(descriptor);
  }

  override async dataSyncAsync(descriptor: number): Promise<void> {
    try {
      this.dataSync(descriptor);
    } finally {
      await nextTurn();
    }
  }
}

function tellKeysWithOneHashApart(): void {
  const seed = [1, 2] as const;
  const keydir = new Keydir(seed);
  const [one, other] = keysWithOneHash(seed);
  keydir.set(one, { segmentId: 1, offset: 0, byteLength: 30 });
  keydir.set(other, { segmentId: 2, offset: 99, byteLength: 31 });
  if (keydir.size !== 2 || keydir.locate(one)?.file !== 1 || keydir.locate(other)?.file !== 2)
    throw new InvariantBroken(
      'I3',
      `keys '${one}' and '${other}' with the same hash are taken for one key`,
    );
}

/** Some 80,000 keys are enough, by the birthday paradox. */
function keysWithOneHash(seed: readonly [number, number]): [Buffer, Buffer] {
  const seen = new Map<number, Buffer>();
  for (let index = 0; ; index++) {
    const key = Buffer.from(`key-${String(index).padStart(8, '0')}`);
    const hash = hashKey(key, 0, key.length, seed);
    const earlier = seen.get(hash);
    if (earlier !== undefined) return [earlier, key];
    seen.set(hash, key);
  }
}

/**
 * Every byte of a store that was closed in order is durable: a flipped bit keeps it from opening,
 * and a get from answering.
 */
async function refuseFlippedBits(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const written = await openStore(DIRECTORY, { fileSystem, segmentBytes: 300 });
  for (let index = 0; index < 12; index++) written.put(`key-${index % 7}`, `value ${index}`);
  written.delete('key-3');
  await written.close();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (const key of store.keys()) {
    const { segmentId, offset, byteLength } = store.refOf(key) as RecordRef;
    for (let bit = offset * 8; bit < (offset + byteLength) * 8; bit++) {
      flipBit(fileSystem, segmentId, bit);
      if (outcomeOf(() => store.get(key)) !== 'refused')
        throw new InvariantBroken(
          'I5',
          `a get answers although bit ${bit} of segment ${segmentId} is flipped`,
        );
      flipBit(fileSystem, segmentId, bit);
    }
  }
  await store.close();
  for (const name of fileSystem.list(DIRECTORY).filter((name) => name.endsWith('.dwal'))) {
    const segmentId = Number.parseInt(name, 10);
    const sizeBytes = fileSystem.stat(segmentPath(DIRECTORY, segmentId))?.sizeBytes ?? 0;
    for (let bit = 0; bit < sizeBytes * 8; bit++) {
      const damaged = fileSystem.afterProcessDeath();
      flipBit(damaged, segmentId, bit);
      const code = await openStore(DIRECTORY, { fileSystem: damaged, open: 'full' }).then(
        () => 'no error',
        (error) => error.code,
      );
      if (code !== 'STORE_CORRUPT')
        throw new InvariantBroken(
          'I5',
          `opening with bit ${bit} of segment ${segmentId} flipped gives ${code}`,
        );
    }
  }
}

function flipBit(fileSystem: MemoryFileSystem, segmentId: number, bit: number): void {
  fileSystem.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => {
    bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit % 8));
    return bytes;
  });
}

function outcomeOf(get: () => unknown): unknown {
  try {
    return get();
  } catch (error) {
    return error instanceof StoreError ? 'refused' : error;
  }
}

/** The disk gives the frame of another key where an open store reads. */
function refuseFrameOfAnotherKey(): Promise<void> {
  return refuseOtherFrame({ key: 'two', value: 'value', type: RecordType.Put });
}

/** The disk gives a Delete of the same length where an open store reads a Put. */
function refuseFrameOfAnotherType(): Promise<void> {
  return refuseOtherFrame({ key: 'one', value: 'value', type: RecordType.Raw });
}

async function refuseOtherFrame(other: {
  key: string;
  value: string;
  type: RecordType;
}): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  const { segmentId, offset }: RecordRef = store.put('one', 'right');
  fileSystem.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => {
    encodeFrame(bytes, offset, other.type, 7, Buffer.from(other.key), Buffer.from(other.value));
    return bytes;
  });
  let found: unknown;
  try {
    found = store.get('one');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'FRAME_MISMATCH') return;
    found = error;
  }
  throw new InvariantBroken('I5', `a whole frame that is not the one asked for gives ${found}`);
}
