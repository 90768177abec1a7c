import { expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openReader, openStore, salvage } from '../../src/engine/index.ts';

const DIRECTORY = '/store';
const KIB = 1024;

test('a refresh that takes several slices takes up all of them before it settles', async () => {
  const fileSystem = new MemoryFileSystem();
  await using store = await openStore(DIRECTORY, { fileSystem });
  store.put('first', 'value');
  await using reader = await openReader(DIRECTORY, { fileSystem });
  for (let key = 0; key < 5_000; key++) store.put(`key-${key}`, Buffer.alloc(KIB, key));
  await reader.refresh();
  expect(reader.size).toBe(5_001);
  expect(reader.get('key-4999')).toEqual(Buffer.alloc(KIB, 4_999));
  expect(reader.lastTxid).toBe(store.end.nextTxid - 1);
});

test('refreshes that read leave as many descriptors open as before', async () => {
  const fileSystem = new MemoryFileSystem();
  await using store = await openStore(DIRECTORY, { fileSystem });
  store.put('key', 'value');
  await using reader = await openReader(DIRECTORY, { fileSystem });
  const before = fileSystem.openDescriptorCount;
  for (let round = 0; round < 10; round++) {
    store.put('key', `value ${round}`);
    await reader.refresh();
  }
  expect(fileSystem.openDescriptorCount).toBe(before);
});

test('several callers wait for the seals beside a compaction, and all of them are told', async () => {
  const fileSystem = new MemoryFileSystem();
  await using store = await openStore(DIRECTORY, { fileSystem });
  for (let round = 0; round < 6; round++) {
    for (let key = 0; key < 4; key++) store.put(`key-${key}`, `value ${round}`);
    store.rotate();
  }
  const compacting = store.compact({ deadRatio: 0.01 });
  const waiting = [store.sealsWritten(), store.sealsWritten(), store.sync(), store.sealsWritten()];
  await Promise.all([...waiting, compacting]);
  expect(store.get('key-3')?.toString()).toBe('value 5');
  expect(fileSystem.list(DIRECTORY).some((name) => name.endsWith('.seal'))).toBe(true);
});

test('salvage of a directory without segments says that there is no store', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory('/empty');
  const salvaged = salvage('/empty', '/rescued', { fileSystem });
  await expect(salvaged).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(fileSystem.stat('/rescued')).toBeUndefined();
});

test('a compaction reports the bytes of the segments that it read', async () => {
  const fileSystem = new MemoryFileSystem();
  await using store = await openStore(DIRECTORY, { fileSystem, segmentBytes: 64 * KIB });
  store.put('key', Buffer.alloc(KIB));
  store.rotate();
  store.put('key', Buffer.alloc(KIB));
  store.rotate();
  await store.sealsWritten();
  const sealedBytes = store.stats().sealedBytes;
  const { merges, inputBytes, outputBytes } = await store.compact({ deadRatio: 0.01 });
  expect({ merges, inputBytes }).toEqual({ merges: 1, inputBytes: sealedBytes });
  expect(outputBytes).toBe(sealedBytes / 2);
});

test('a follower of a log that was cut back says SNAPSHOT_GONE, and where', async () => {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  const { offset } = store.put('first', 'value');
  store.put('second', 'value');
  await using reader = await openReader(DIRECTORY, { fileSystem });
  const feed = reader.follow({ fromTxid: 1, pollIntervalMs: 1 });
  await feed.next();
  await feed.next();
  fileSystem.mutate('/store/00000001.dwal', (bytes) => bytes.subarray(0, offset));
  await expect(feed.next()).rejects.toMatchObject({ code: 'SNAPSHOT_GONE', segmentId: 1 });
  await store.close().catch(() => {});
});
