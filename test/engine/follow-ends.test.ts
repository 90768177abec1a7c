import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openReader, type ScannedRecord, type Store } from '../../src/engine/index.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

let disk: MemoryFileSystem;

beforeEach(() => {
  disk = new MemoryFileSystem();
});

const BACKUP = '/copies/backup';

/** Looks again so seldom that only an end can settle what waits. */
const IDLE = { pollIntervalMs: 2 ** 30 };
const BUSY = { pollIntervalMs: 1 };

async function backedUp(): Promise<Store> {
  const store = await open(disk);
  for (let key = 0; key < 5; key++) store.put(`key-${key}`, 'first');
  store.rotate();
  for (let key = 0; key < 5; key++) store.put(`key-${key}`, 'second');
  await store.sync();
  await store.backup(BACKUP);
  return store;
}

function replaceDirectory(): void {
  disk.rename(DIRECTORY, '/before');
  disk.rename(BACKUP, DIRECTORY);
}

/** The directory stays, and no file in it does. */
function replaceFiles(): void {
  for (const name of disk.list(DIRECTORY)) {
    const path = `${DIRECTORY}/${name}`;
    if (disk.stat(path)?.kind === 'file') disk.remove(path);
    else disk.removeDirectory(path);
  }
  for (const name of disk.list(BACKUP)) disk.rename(`${BACKUP}/${name}`, `${DIRECTORY}/${name}`);
}

type Feed = AsyncIterableIterator<ScannedRecord>;

async function take(feed: Feed, count: number): Promise<number[]> {
  const txids: number[] = [];
  while (txids.length < count) txids.push((await feed.next()).value.txid);
  return txids;
}

describe('a follower of a store whose place a backup takes', () => {
  describe.each([
    ['as a directory', replaceDirectory],
    ['file by file', replaceFiles],
  ])('%s', (_, replace) => {
    test.each([
      ['before anything else is written', 0, false],
      ['when records were written in the segment that it holds', 10, false],
      ['when the log went on in a later segment', 10, true],
    ])('says that records may be gone, and delivers none behind the hole: %s', async (...row) => {
      const [, records, rotates] = row;
      const before = await backedUp();
      await using reader = await openReader(DIRECTORY, { fileSystem: disk });
      const feed = reader.follow({ fromTxid: 1, ...BUSY });
      expect(await take(feed, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      await before.close();
      replace();
      await using store = await open(disk);
      for (let index = 0; index < records; index++) store.put('new', `${index}`);
      if (rotates) store.rotate();
      store.put('last', 'one');
      const code = expect.stringMatching(/^(SNAPSHOT_GONE|STORE_MOVED)$/);
      await expect(feed.next()).rejects.toMatchObject({ code });
    });
  });

  test('goes on in the file that it holds until that is at its end', async () => {
    const before = await backedUp();
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    const feed = reader.follow({ fromTxid: 1, ...BUSY });
    expect(await take(feed, 7)).toHaveLength(7);
    before.put('not in', 'the backup');
    await before.close();
    replaceFiles();
    expect(await take(feed, 4)).toEqual([8, 9, 10, 11]);
    await expect(feed.next()).rejects.toMatchObject({ code: 'SNAPSHOT_GONE', firstTxid: 12 });
  });
});

test('a follower of a segment that is cut back says so with a code of its own', async () => {
  await using store = await open(disk);
  for (let key = 0; key < 5; key++) store.put(`key-${key}`, 'value');
  await using reader = await openReader(DIRECTORY, { fileSystem: disk });
  const feed = reader.follow({ fromTxid: 1, ...BUSY });
  await take(feed, 5);
  disk.mutate(`${DIRECTORY}/00000001.dwal`, (bytes) => bytes.subarray(0, 60));
  await expect(feed.next()).rejects.toMatchObject({ code: 'SNAPSHOT_GONE', segmentId: 1 });
});

describe('a follower that waits', () => {
  test('is ended by return, and what waits for a record is done', async () => {
    await using store = await open(disk);
    store.put('key', 'value');
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    const before = disk.openDescriptorCount;
    const feed = reader.follow({ fromTxid: 1, ...IDLE });
    await take(feed, 1);
    const waiting = [feed.next(), feed.next()];
    expect(await feed.return?.()).toEqual({ done: true, value: undefined });
    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(disk.openDescriptorCount).toBe(before);
    expect(await feed.next()).toEqual({ done: true, value: undefined });
  });

  test('is ended by throw, which rejects with what was thrown', async () => {
    await using store = await open(disk);
    store.put('key', 'value');
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    const before = disk.openDescriptorCount;
    const feed = reader.follow({ fromTxid: 1, ...IDLE });
    await take(feed, 1);
    const waiting = feed.next();
    const reason = new Error('enough');
    await expect(feed.throw?.(reason)).rejects.toBe(reason);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(disk.openDescriptorCount).toBe(before);
  });

  test('is ended before it has begun', async () => {
    await using store = await open(disk);
    store.put('key', 'value');
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    const feed = reader.follow({ fromTxid: 1, ...IDLE });
    expect(await feed.return?.()).toEqual({ done: true, value: undefined });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
  });
});

describe('a reader that is closed', () => {
  test('closes what its followers hold, wherever they are, and none delivers anything', async () => {
    const store = await open(disk);
    for (let key = 0; key < 9; key++) store.put(`key-${key}`, 'value');
    const before = disk.openDescriptorCount;
    const reader = await openReader(DIRECTORY, { fileSystem: disk });
    const feeds = Array.from({ length: 50 }, () => reader.follow({ fromTxid: 1, ...IDLE }));
    // Some at their first record, some in between, some idle.
    for (const [index, feed] of feeds.entries()) await take(feed, 1 + (index % 9));
    const waiting = feeds.filter((_, index) => index % 9 === 8).map((feed) => feed.next());
    const settled = Promise.allSettled(waiting);
    await reader.close();
    expect(disk.openDescriptorCount).toBe(before);
    const outcomes = [...(await settled), ...(await Promise.allSettled(feeds.map(pull)))];
    const delivered = outcomes.filter(
      (one) => one.status === 'fulfilled' && one.value.done !== true,
    );
    expect(delivered).toEqual([]);
    const codes = outcomes.map((one) => (one.status === 'rejected' ? one.reason.code : 'done'));
    expect(codes.filter((code) => code === 'STORE_CLOSED')).toHaveLength(feeds.length);
    expect(new Set(codes)).toEqual(new Set(['STORE_CLOSED', 'done']));
    await store.close();
  });

  test('lets go of the files when the signal of a follower that nobody pulls is aborted', async () => {
    await using store = await open(disk);
    for (let key = 0; key < 3; key++) store.put(`key-${key}`, 'value');
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    const before = disk.openDescriptorCount;
    const ending = new AbortController();
    const feed = reader.follow({ fromTxid: 1, signal: ending.signal });
    await take(feed, 1);
    expect(disk.openDescriptorCount).toBe(before + 1);
    const reason = new Error('enough');
    ending.abort(reason);
    expect(disk.openDescriptorCount).toBe(before);
    await expect(feed.next()).rejects.toBe(reason);
  });
});

const pull = (feed: Feed) => feed.next();
