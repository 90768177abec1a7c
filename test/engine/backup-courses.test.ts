import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openReader, openStore, type Store } from '../../src/engine/index.ts';

const DIRECTORY = '/store';
const TARGET = '/backup';
/** More than a segment: one that holds it is in no merge of others. */
const LONG = 'long '.repeat(2000);

async function pairsOf(directory: string, fileSystem: MemoryFileSystem): Promise<string[]> {
  await using reader = await openReader(directory, { fileSystem });
  return [...reader.entries()].map(([key, value]) => `${key}=${value}`).toSorted();
}

/** The store is as it was when the backup was made, and goes on from there. */
async function putBack(store: Store, backup: string, fileSystem: MemoryFileSystem): Promise<Store> {
  await store.close();
  for (const name of fileSystem.list(DIRECTORY)) fileSystem.remove(join(DIRECTORY, name));
  for (const name of fileSystem.list(backup))
    fileSystem.writeFile(join(DIRECTORY, name), fileSystem.readFile(join(backup, name)));
  return openStore(DIRECTORY, { fileSystem });
}

describe('a backup of a merged store', () => {
  test('opens where a merge has left a segment empty that another one stands behind', async () => {
    const fileSystem = new MemoryFileSystem();
    await using store = await openStore(DIRECTORY, { fileSystem, segmentBytes: 5_000 });
    for (const [key, value] of [
      ['kept', LONG],
      ['key', 'value'],
      ['key', LONG],
    ] as const) {
      store.put(key, value);
      store.rotate();
    }
    store.put('last', 'value');
    await store.sealsWritten();
    await store.compact({ deadRatio: 0.5 });
    expect(fileSystem.list(DIRECTORY)).toContain('00000002.seal');
    expect(fileSystem.stat('/store/00000002.dwal')?.sizeBytes).toBe(0);
    await store.backup(TARGET);
    expect(await pairsOf(TARGET, fileSystem)).toEqual(
      [`kept=${LONG}`, `key=${LONG}`, 'last=value'].toSorted(),
    );
  });
});

describe('a backup of another course of the store', () => {
  test.each(['unmerged', 'merged'] as const)(
    'is not replaced, though it ends where a segment begins (the store %s)',
    async (state) => {
      const fileSystem = new MemoryFileSystem();
      const first = await openStore(DIRECTORY, { fileSystem });
      await first.backup('/early');
      first.put('only in the first course', 'value');
      first.put('key', 'value');
      first.rotate();
      await first.sealsWritten();
      await first.backup(TARGET);
      await using second = await putBack(first, '/early', fileSystem);
      second.put('key', 'another value');
      second.put('key', 'another value again');
      second.rotate();
      await second.sealsWritten();
      if (state === 'merged') await second.compact({ deadRatio: 0.01 });
      await expect(second.backup(TARGET)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
      expect(await pairsOf(TARGET, fileSystem)).toEqual([
        'key=value',
        'only in the first course=value',
      ]);
    },
  );
});

describe('a scrub of a reader', () => {
  test('says that its snapshot is gone where an opening has removed what a merge had emptied', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore(DIRECTORY, { fileSystem });
    store.put('key', 'value');
    store.rotate();
    store.put('key', 'another value');
    store.rotate();
    await store.sealsWritten();
    await using reader = await openReader(DIRECTORY, { fileSystem });
    store.put('key', 'a third value');
    store.rotate();
    store.put('last', 'value');
    await store.compact({ deadRatio: 0.01 });
    await store.close();
    await (await openStore(DIRECTORY, { fileSystem })).close();
    expect(fileSystem.list(DIRECTORY)).not.toContain('00000001.dwal');
    await expect(reader.verify()).rejects.toMatchObject({ code: 'SNAPSHOT_GONE' });
  });
});
