import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { segmentName, segmentPath } from '../../../src/engine/format/segment-name.ts';
import { openReader, openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import { intercept } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { InvariantBroken } from '../promises/invariants.ts';

/** Backups that must be copies and destroy none, and followers that end or say what is gone. */
export const UPKEEP_CORNERS: readonly (() => Promise<void>)[] = [
  copyWhatIsLinked,
  leaveEarlierBackup,
  leaveBackupOfAnother,
  tellReplacedFiles,
  tellGapBeforeNothing,
  returnFromIdleFollower,
  closeFollowersOfReader,
];

const DIRECTORY = '/store';
const TARGET = '/backup';
const IDLE = { fromTxid: 1, pollIntervalMs: 2 ** 30 };
/** An end that needs more turns of the event loop waits for something. */
const TURNS = 1000;

function fill(store: Store): void {
  for (let segment = 0; segment < 2; segment++) {
    store.put(`key-${segment}`, 'value');
    store.rotate();
  }
  store.put('last', 'value');
}

async function sealed(directory: string, fileSystem?: MemoryFileSystem): Promise<Store> {
  const options = fileSystem === undefined ? {} : { fileSystem };
  const store = await openStore(directory, options);
  fill(store);
  await store.close();
  return openStore(directory, options);
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

/** Runs on a real disk: the one in memory has no symbolic links. */
async function copyWhatIsLinked(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-corner-'));
  try {
    const [data, copy, name] = [join(root, 'data'), join(root, 'copy'), segmentName(1)];
    await (await sealed(data)).close();
    renameSync(join(data, name), join(root, 'away'));
    symlinkSync(join(root, 'away'), join(data, name));
    const store = await openStore(data);
    await store.backup(copy);
    expectNoLinks(copy);
    unlinkSync(join(copy, segmentName(2)));
    symlinkSync(join(data, segmentName(2)), join(copy, segmentName(2)));
    await store.backup(copy);
    await store.close();
    expectNoLinks(copy);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function expectNoLinks(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (lstatSync(join(directory, name)).isSymbolicLink())
      throw new InvariantBroken('I5', `${name} of a backup is a symbolic link`);
  }
}

async function leaveEarlierBackup(): Promise<void> {
  const disk = new MemoryFileSystem();
  const store = await sealed(DIRECTORY, disk);
  await store.backup(TARGET);
  disk.remove(segmentPath(DIRECTORY, 1));
  const code = await codeOf(store.backup(TARGET));
  if (code !== 'STORE_CORRUPT')
    throw new InvariantBroken('I5', `a store without a segment was backed up: ${code}`);
  const reopened = await codeOf(openReader(TARGET, { fileSystem: disk }).then((r) => r.close()));
  if (reopened !== undefined)
    throw new InvariantBroken('I5', `a backup that failed cost the earlier one: ${reopened}`);
  await store.close();
}

async function leaveBackupOfAnother(): Promise<void> {
  const disk = new MemoryFileSystem();
  const name = segmentName(1);
  await (await sealed('/other', disk)).close();
  let isRaced = false;
  const racing = intercept(disk, ({ method, args, proceed }) => {
    if (method === 'rename' && String(args[1]).startsWith(TARGET) && !isRaced) {
      isRaced = true;
      for (const id of [1, 2, 3]) disk.link(segmentPath('/other', id), segmentPath(TARGET, id));
    }
    return proceed();
  });
  const store = await openStore(DIRECTORY, { fileSystem: racing });
  store.put('key', 'value');
  const code = await codeOf(store.backup(TARGET));
  const isLeft = disk.stat(join(TARGET, name))?.inode === disk.stat(join('/other', name))?.inode;
  if (!isRaced || code !== 'TARGET_NOT_EMPTY' || !isLeft)
    throw new InvariantBroken('I13', `two backups into one target: ${code}, ${name} ${isLeft}`);
  await store.close();
}

/** A backup takes the place of a store, file by file, under a follower that has read all of it. */
async function tellReplacedFiles(): Promise<void> {
  const disk = new MemoryFileSystem();
  const before = await sealed(DIRECTORY, disk);
  await before.backup(TARGET);
  const reader = await openReader(DIRECTORY, { fileSystem: disk });
  const feed = reader.follow({ fromTxid: 1, pollIntervalMs: 1 });
  for (let count = 0; count < 3; count++) await feed.next();
  await before.close();
  for (const name of disk.list(TARGET)) disk.rename(join(TARGET, name), join(DIRECTORY, name));
  const after = await openStore(DIRECTORY, { fileSystem: disk });
  after.put('in the hole', 'value');
  after.rotate();
  after.put('behind it', 'value');
  const code = await codeOf(feed.next());
  if (code !== 'SNAPSHOT_GONE')
    throw new InvariantBroken('I1', `a follower went on over a hole: ${code}`);
  await reader.close();
  await after.close();
}

/** What lies behind a gap may begin with a segment that was sealed empty. */
async function tellGapBeforeNothing(): Promise<void> {
  const disk = new MemoryFileSystem();
  const before = await openStore(DIRECTORY, { fileSystem: disk });
  before.put('key', 'value');
  await before.backup(TARGET);
  before.rotate();
  const reader = await openReader(DIRECTORY, { fileSystem: disk });
  const feed = reader.follow({ fromTxid: 1, pollIntervalMs: 1 });
  await feed.next();
  await before.close();
  for (const name of disk.list(DIRECTORY)) disk.remove(join(DIRECTORY, name));
  for (const name of disk.list(TARGET)) disk.rename(join(TARGET, name), join(DIRECTORY, name));
  const after = await openStore(DIRECTORY, { fileSystem: disk });
  after.put('in the hole', 'value');
  after.rotate();
  after.rotate();
  await after.sealsWritten();
  after.put('behind it', 'value');
  const code = await codeOf(feed.next());
  if (code !== 'SNAPSHOT_GONE')
    throw new InvariantBroken('I1', `a follower went on over a hole and an empty segment: ${code}`);
  await reader.close();
  await after.close();
}

async function settles(work: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const end = () => {
    isSettled = true;
  };
  work.then(end, end);
  for (let turn = 0; turn < TURNS && !isSettled; turn++) await nextTurn();
  return isSettled;
}

async function returnFromIdleFollower(): Promise<void> {
  const disk = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem: disk });
  store.put('key', 'value');
  const reader = await openReader(DIRECTORY, { fileSystem: disk });
  const feed = reader.follow(IDLE);
  await feed.next();
  const waiting = feed.next();
  const isEnded = await settles(Promise.all([waiting, feed.return?.()]));
  await reader.close();
  await store.close();
  if (!isEnded) throw new InvariantBroken('I14', 'the return of an idle follower does not end');
}

async function closeFollowersOfReader(): Promise<void> {
  const disk = new MemoryFileSystem();
  // Nothing is being sealed any more: descriptors are of followers alone.
  const store = await sealed(DIRECTORY, disk);
  const before = disk.openDescriptorCount;
  const reader = await openReader(DIRECTORY, { fileSystem: disk });
  const feeds = [reader.follow(IDLE), reader.follow(IDLE)];
  for (const feed of feeds) await feed.next();
  await reader.close();
  const left = disk.openDescriptorCount - before;
  if (left !== 0) throw new InvariantBroken('I10', `${left} files of followers are left open`);
  const codes = await Promise.all(feeds.map((feed) => codeOf(feed.next())));
  if (codes.some((code) => code !== 'STORE_CLOSED'))
    throw new InvariantBroken('I14', `followers of a closed reader: ${codes}`);
  await store.close();
}
