import { RecordType } from '../../../src/engine/format/format.ts';
import { segmentPath } from '../../../src/engine/format/segment-name.ts';
import { SLOT_BYTES } from '../../../src/engine/format/slot-file.ts';
import { StoreFiles } from '../../../src/engine/host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../../../src/engine/host/turns.ts';
import { openLog, openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import { Keydir } from '../../../src/engine/keydir/keydir.ts';
import { MARK_FILE } from '../../../src/engine/lock/durable-mark.ts';
import { OpenLog } from '../../../src/engine/log/open-log.ts';
import { MergeScheduler } from '../../../src/engine/merge/merge-scheduler.ts';
import {
  parseSealName,
  readSeal,
  SEAL_SUFFIX,
  sealPath,
} from '../../../src/engine/seal/seal-file.ts';
import { type Call, intercept, isChange } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { countedUsage, recountUsage } from '../promises/usage-recount.ts';

/** What crash states do not see of a merge, or meet too seldom. Each throws `InvariantBroken`. */
export const MERGE_CORNERS: readonly (() => Promise<void>)[] = [
  readDuringMerge,
  keepScans,
  keepNewer,
  keepDeleted,
  keepRaw,
  openWithEitherMark,
  settleFirst,
  hearOfFailedSync,
  finishDurably,
  refuseDamage,
  needRoom,
  endEarly,
  keepUsage,
  failAnywhere,
  leaveNothingBehind,
];

const DIRECTORY = '/store';
const EVERYTHING = { deadRatio: 0 };
/** So long that the output of a merge is as long as its last input. */
const RAW = 'raw, thirteen';

/** Two sealed segments and an active one. */
async function mergeable(fileSystem = new MemoryFileSystem()): Promise<MemoryFileSystem> {
  const log = await openLog(DIRECTORY, { fileSystem });
  log.append(RAW);
  await log.close();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (const key of ['one', 'old', 'two', 'not']) store.put(key, `first ${key}`);
  store.delete('old');
  store.delete('not');
  store.rotate();
  store.put('old', 'second old');
  store.put('ten', 'first ten');
  store.put('six', 'first six');
  store.delete('two');
  store.rotate();
  await store.putDurable('old', 'third old');
  store.put('six', 'second six');
  await store.close();
  return fileSystem;
}

function pairsOf(store: Store): string {
  return [...store.entries()].map(String).sort().join(' ');
}

async function contentsOf(fileSystem: MemoryFileSystem): Promise<string> {
  const store = await openStore(DIRECTORY, { fileSystem });
  return pairsOf(store);
}

function segmentsAndSeals(fileSystem: MemoryFileSystem): string {
  const names = fileSystem
    .list(DIRECTORY)
    .filter((name) => /\.(?:dwal|seal|merge|tmp|merge-tmp)$/.test(name));
  return names
    .sort()
    .map((name) => `${name} ${fileSystem.readFile(`${DIRECTORY}/${name}`).toString('hex')}`)
    .join('\n');
}

/** Every key must be read as before at each of the merge's calls that change something. */
async function readDuringMerge(): Promise<void> {
  const inner = await mergeable();
  let watched: { store: Store; expected: string } | undefined;
  const fileSystem = intercept(inner, (call) => {
    if (watched !== undefined && isChange(call)) checkReads(watched.store, watched.expected, call);
    return call.proceed();
  });
  const store = await openStore(DIRECTORY, { fileSystem, descriptorPoolSize: 0 });
  watched = { store, expected: pairsOf(store) };
  await store.compact(EVERYTHING);
  checkReads(store, watched.expected, undefined);
  watched = undefined;
  checkNoDeleted(inner, store.stats().openDescriptors);
}

function checkReads(store: Store, expected: string, call: Call | undefined): void {
  let found: unknown;
  try {
    found = pairsOf(store);
  } catch (error) {
    found = error;
  }
  const when =
    call === undefined ? 'after a merge' : `before ${call.method} ${call.path} of a merge`;
  if (found !== expected)
    throw new InvariantBroken('I12', `${when}, '${found}' is read, and not '${expected}'`);
}

/** Every descriptor is of a file that still has a name. */
function checkNoDeleted(fileSystem: MemoryFileSystem, expectedCount: number): void {
  const named = new Set(
    fileSystem.list(DIRECTORY).map((name) => fileSystem.stat(`${DIRECTORY}/${name}`)?.inode),
  );
  const deleted = fileSystem.openInodes.filter((inode) => !named.has(inode));
  if (deleted.length > 0 || fileSystem.openDescriptorCount !== expectedCount)
    throw new InvariantBroken(
      'I10',
      `after a merge ${fileSystem.openDescriptorCount} descriptors are open, ${deleted.length} of deleted files, and the store says ${expectedCount}`,
    );
}

async function keepScans(): Promise<void> {
  const fileSystem = await mergeable();
  const store = await openStore(DIRECTORY, { fileSystem });
  const all = [...store.scan()].map(({ txid, key }) => `${txid} ${key}`);
  const scan = store.scan();
  const seen = [scan.next().value].map(({ txid, key }) => `${txid} ${key}`);
  await store.compact(EVERYTHING);
  for (const { txid, key } of scan) seen.push(`${txid} ${key}`);
  if (seen.join() !== all.join())
    throw new InvariantBroken(
      'I12',
      `a scan that was begun before a merge gives ${seen}, and not ${all}`,
    );
  checkNoDeleted(fileSystem, store.stats().openDescriptors);
}

/** What is put while a merge goes on counts, and not the copy that it makes. */
async function keepNewer(): Promise<void> {
  let store: Store | undefined;
  const fileSystem = intercept(await mergeable(), (call) => {
    if (call.method === 'rename' && call.path.endsWith('.merge.tmp'))
      store?.put('ten', 'second ten');
    return call.proceed();
  });
  store = await openStore(DIRECTORY, { fileSystem });
  await store.compact(EVERYTHING);
  const found = store.get('ten')?.toString();
  if (found !== 'second ten') throw new InvariantBroken('I12', `a merge brings '${found}' back`);
}

/** The older Put of a deleted key stands in a segment that is not worth a merge. */
async function keepDeleted(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem, segmentBytes: 4000 });
  store.put('deleted', 'value');
  store.put('large', Buffer.alloc(2000));
  store.rotate();
  store.put('garbage', Buffer.alloc(900));
  store.delete('deleted');
  store.put('kept', 'value');
  store.rotate();
  store.put('garbage', 'value');
  const { merges } = await store.compact({ deadRatio: 0.5 });
  if (merges !== 1) throw new InvariantBroken('I12', `${merges} merges where one was due`);
  const found = await contentsOf(fileSystem.afterProcessDeath());
  if (found !== pairsOf(store))
    throw new InvariantBroken('I12', `after a merge an opening gives '${found}'`);
}

async function keepRaw(): Promise<void> {
  const store = await openStore(DIRECTORY, { fileSystem: await mergeable() });
  await store.compact(EVERYTHING);
  const raw = [...store.scan()].filter(({ type }) => type === RecordType.Raw);
  if (raw.map(({ payload }) => String(payload)).join() !== RAW)
    throw new InvariantBroken('I12', `after a merge ${raw.length} of one Raw record are there`);
}

/** Killed in any call, and opened again: the same pairs, and no file that nobody needs. */
async function leaveNothingBehind(): Promise<void> {
  await endAnywhere('died', (call) => {
    if (call.index >= call.last) throw new Error('killed');
  });
}

/** Any call fails, once: what is left on disk must still be a store. */
async function failAnywhere(): Promise<void> {
  await endAnywhere('failed', (call) => {
    if (call.index === call.last) throw systemError('EIO', `call ${call.index}`);
  });
}

async function endAnywhere(
  how: string,
  meet: (call: { index: number; last: number }) => void,
): Promise<void> {
  const base = await mergeable();
  const expected = await contentsOf(base.afterProcessDeath());
  for (let last = 1; ; last++) {
    const when = `after a merge that ${how} in call ${last}`;
    const disk = base.afterProcessDeath();
    let index = Number.NEGATIVE_INFINITY;
    const ending = intercept(disk, (call) => {
      if (isChange(call)) meet({ index: ++index, last });
      return call.proceed();
    });
    const merged = await openStore(DIRECTORY, { fileSystem: ending });
    index = 0;
    await merged.compact(EVERYTHING).catch(() => {});
    const isEnd = index < last;
    const fileSystem = disk.afterProcessDeath();
    const store = await openStore(DIRECTORY, { fileSystem });
    // At once, before seals that are missing are written.
    const files = segmentsAndSeals(fileSystem);
    const found = pairsOf(store);
    if (found !== expected)
      throw new InvariantBroken('I12', `${when} '${found}' stands for '${expected}'`);
    await checkTidy(fileSystem, when, files);
    if (isEnd) return;
  }
}

/**
 * A process died right behind the rename of an output: the next one makes that durable before it
 * relies on it.
 */
async function finishDurably(): Promise<void> {
  const disk = await mergeable();
  let died = false;
  const dying = intercept(disk, (call) => {
    if (died) throw new Error('killed');
    const result = call.proceed();
    died = call.method === 'rename' && call.path.endsWith('.merge-tmp');
    return result;
  });
  const merged = await openStore(DIRECTORY, { fileSystem: dying });
  await merged.compact(EVERYTHING).catch(() => {});
  let isSynced = false;
  const fileSystem = intercept(disk.afterProcessDeath(), (call) => {
    if (call.method === 'directorySync') isSynced = true;
    if (call.method === 'rename' && call.path.endsWith('.merge') && !isSynced)
      throw new InvariantBroken(
        'I6',
        'a merge is finished whose output a power cut can still take away',
      );
    return call.proceed();
  });
  await openStore(DIRECTORY, { fileSystem }).catch((error) => {
    throw error.cause instanceof InvariantBroken ? error.cause : error;
  });
}

/** Temporary files, and seals and bytes of segments that another seal covers. */
async function checkTidy(fileSystem: MemoryFileSystem, when: string, files: string): Promise<void> {
  const [temporary] = /\S+(?:\.tmp|\.merge|\.merge-tmp)(?= )/.exec(files) ?? [];
  if (temporary !== undefined) throw new InvariantBroken('I12', `${when} ${temporary} is left`);
  const storeFiles = new StoreFiles(fileSystem, DIRECTORY);
  for (const name of files.split('\n').map((line) => line.split(' ')[0] as string)) {
    const segmentId = parseSealName(name, SEAL_SUFFIX) ?? 0;
    const seal = await readSeal(storeFiles, segmentId, new Turns(OPENING_SLICE_BYTES));
    if (!(seal instanceof Object)) continue;
    for (let id = seal.firstId; id < seal.segmentId; id++) {
      if (
        files.includes(sealPath('', id).slice(1)) ||
        fileSystem.stat(segmentPath(DIRECTORY, id))?.sizeBytes
      )
        throw new InvariantBroken('I12', `${when} segment ${id} is left, which ${name} covers`);
    }
  }
}

/** Whichever slot rots: neither may name a place that the merge has changed. */
async function openWithEitherMark(): Promise<void> {
  const fileSystem = await mergeable();
  const written = await openStore(DIRECTORY, { fileSystem });
  written.put('six', 'third six');
  await written.sync();
  const expected = pairsOf(written);
  await written.compact(EVERYTHING);
  for (const slot of [0, 1]) {
    const rotten = fileSystem.afterProcessDeath();
    rotten.mutate(`${DIRECTORY}/${MARK_FILE}`, (bytes) =>
      bytes.fill(0xff, slot * SLOT_BYTES, slot * SLOT_BYTES + 16),
    );
    const store = await openStore(DIRECTORY, { fileSystem: rotten, open: 'full' }).catch(
      (error) => error,
    );
    const found = store instanceof Error ? store.message : pairsOf(store);
    if (found !== expected)
      throw new InvariantBroken(
        'I8',
        `after a merge, without slot ${slot} of the mark, the store gives ${found}`,
      );
  }
}

/**
 * What is left out because of a newer record is left out only once that one is durable, whenever it
 * came.
 */
async function settleFirst(): Promise<void> {
  let store: Store | undefined;
  let unsynced = 0;
  const fileSystem = intercept(await mergeable(), (call) => {
    if (call.method === 'open' && call.path.endsWith('.merge-tmp') && call.args[1] === 'create')
      store?.put('ten', 'second ten');
    if (call.method === 'rename' && call.path.endsWith('.merge.tmp'))
      unsynced = Math.max(unsynced, store?.stats().unsyncedRecords ?? 0);
    return call.proceed();
  });
  store = await openStore(DIRECTORY, { fileSystem });
  await store.compact({ deadRatio: 0.1 });
  if (unsynced > 0)
    throw new InvariantBroken(
      'I1',
      `a merge is published while ${unsynced} records before it are not durable`,
    );
}

/** A directory is synced for segments and for merges, and the kernel tells of a failure once. */
async function hearOfFailedSync(): Promise<void> {
  let renamed = false;
  const fileSystem = intercept(await mergeable(), (call) => {
    if (call.method === 'rename' && call.path.endsWith('.merge.tmp')) renamed = true;
    if (!renamed || call.method !== 'directorySyncAsync') return call.proceed();
    renamed = false;
    return Promise.reject(systemError('EIO', call.method));
  });
  const store = await openStore(DIRECTORY, { fileSystem });
  await store.compact(EVERYTHING).catch(() => {});
  if (store.poisoned === undefined)
    throw new InvariantBroken(
      'I9',
      'writing goes on after a sync of the directory that failed for a merge',
    );
}

/** Nothing is changed when a merge is refused, and it can be done later. */
async function expectRefused(
  fileSystem: MemoryFileSystem,
  store: Store,
  signal: AbortSignal | undefined,
  codes: readonly unknown[],
): Promise<void> {
  const before = segmentsAndSeals(fileSystem);
  let failure: unknown;
  try {
    await store.compact({ ...EVERYTHING, ...(signal && { signal }) });
  } catch (error) {
    failure = error instanceof StoreError ? error.code : error;
  }
  if (!codes.includes(failure))
    throw new InvariantBroken('I12', `a merge that must fail gives ${failure}`);
  if (segmentsAndSeals(fileSystem) !== before)
    throw new InvariantBroken('I12', `a merge that failed with ${failure} has changed files`);
}

async function refuseDamage(): Promise<void> {
  const fileSystem = await mergeable();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.rotate();
  await store.sync();
  await store.compact({ deadRatio: 1 });
  fileSystem.mutate(segmentPath(DIRECTORY, 1), (bytes) => {
    bytes[bytes.length - 6] = (bytes[bytes.length - 6] as number) ^ 1;
    return bytes;
  });
  await expectRefused(fileSystem, store, undefined, ['CRC_MISMATCH', 'FRAME_MISMATCH']);
}

class FullDisk extends MemoryFileSystem {
  override freeBytes(): number {
    return 100;
  }
}

async function needRoom(): Promise<void> {
  const fileSystem = await mergeable(new FullDisk());
  const store = await openStore(DIRECTORY, { fileSystem });
  store.rotate();
  await store.compact({ deadRatio: 1 });
  await expectRefused(fileSystem, store, undefined, ['NO_SPACE']);
}

async function endEarly(): Promise<void> {
  const inner = await mergeable();
  let aborting: AbortController | undefined;
  const fileSystem = intercept(inner, (call) => {
    if (call.path.endsWith('.merge-tmp')) aborting?.abort('enough');
    return call.proceed();
  });
  const store = await openStore(DIRECTORY, { fileSystem });
  store.rotate();
  await store.compact({ deadRatio: 1 });
  aborting = new AbortController();
  await expectRefused(inner, store, aborting.signal, ['enough']);
  aborting = undefined;
  const { merges } = await store.compact(EVERYTHING);
  if (merges === 0)
    throw new InvariantBroken('I12', 'after a merge that was ended early there is none any more');
}

async function keepUsage(): Promise<void> {
  const keydir = new Keydir();
  const log = await OpenLog.open(DIRECTORY, { fileSystem: await mergeable() }, keydir);
  const merges = new MergeScheduler(log, keydir, undefined);
  await merges.compact({ deadRatio: 0.2 });
  const [counted, found] = [countedUsage(log, keydir), recountUsage(log, keydir)].map((usage) =>
    JSON.stringify(usage),
  );
  if (counted !== found)
    throw new InvariantBroken('I12', `after a merge ${counted} is counted, and ${found} is there`);
}
