import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openReader, openStore, type Store } from '../../src/engine/index.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { DIRECTORY, everyFile, open } from './store-in-memory.ts';

const TARGET = '/copies/backup';

function fill(store: Store, segments: number, value = 'value'): void {
  for (let segment = 0; segment < segments; segment++) {
    for (let key = 0; key < 4; key++) store.put(`key-${segment}-${key}`, value);
    store.rotate();
  }
  store.put('last', value);
}

describe('a backup of a store with symbolic links in it', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-links-'));
    return () => rmSync(root, { recursive: true });
  });

  /** Moves a file of the store elsewhere, and puts a link in its place. */
  function linkAway(directory: string, name: string): void {
    renameSync(join(directory, name), join(root, `away-${name}`));
    symlinkSync(join(root, `away-${name}`), join(directory, name));
  }

  const isLink = (path: string) => lstatSync(path).isSymbolicLink();

  test.each([
    ['a segment', ['00000002.dwal']],
    ['a seal', ['00000002.seal']],
    ['both', ['00000001.dwal', '00000001.seal']],
  ])('holds the bytes, and nothing that points outside itself: %s', async (_, names) => {
    const [data, copy] = [join(root, 'data'), join(root, 'copy')];
    const first = await openStore(data);
    fill(first, 3);
    await first.close();
    for (const name of names) linkAway(data, name);
    {
      await using store = await openStore(data);
      await store.backup(copy);
      await store.backup(copy);
    }
    for (const name of readdirSync(copy)) expect(isLink(join(copy, name)), name).toBe(false);
    rmSync(data, { recursive: true });
    for (const name of names) unlinkSync(join(root, `away-${name}`));
    await using restored = await openStore(copy);
    expect(String(restored.get('key-1-3'))).toBe('value');
    expect(restored.size).toBe(13);
    expect(await restored.verify()).toMatchObject({ damages: [] });
  });

  test.each([
    ['that leads into the source', true],
    ['that leads nowhere', false],
  ])('replaces a link in an earlier backup %s', async (_, leads) => {
    const [data, copy] = [join(root, 'data'), join(root, 'copy')];
    const store = await openStore(data);
    fill(store, 3);
    // Later than the records: every seal is written.
    await store.close();
    const again = await openStore(data);
    await again.backup(copy);
    for (const name of ['00000002.dwal', '00000003.seal', '00000004.dwal']) {
      unlinkSync(join(copy, name));
      symlinkSync(leads ? join(data, name) : join(root, 'nothing'), join(copy, name));
    }
    await again.backup(copy);
    await again.close();
    for (const name of readdirSync(copy)) expect(isLink(join(copy, name)), name).toBe(false);
    expect(statSync(join(copy, '00000002.dwal')).size).toBeGreaterThan(0);
    rmSync(data, { recursive: true });
    await using reader = await openReader(copy);
    expect(reader.size).toBe(13);
    expect(await reader.verify()).toMatchObject({ damages: [] });
  });
});

describe('a backup that cannot be made', () => {
  let disk: MemoryFileSystem;
  beforeEach(() => {
    disk = new MemoryFileSystem();
  });

  /** Opens a store that has a backup of three sealed segments. */
  async function backedUp(): Promise<Store> {
    const store = await open(disk);
    fill(store, 3);
    await store.close();
    const again = await open(disk);
    await again.backup(TARGET);
    return again;
  }

  test.each([
    ['all sealed segments', [1, 2, 3], false],
    ['the first', [1], false],
    ['one in between', [2], false],
    ['all sealed segments with their seals', [1, 2, 3], true],
    ['the first with its seal', [1], true],
  ])('of a store that has lost %s leaves the earlier one as it was', async (...row) => {
    const [, ids, withSeals] = row;
    await using store = await backedUp();
    const before = everyFile(disk, TARGET);
    store.put('more', 'records');
    store.rotate();
    store.put('and', 'more');
    for (const id of ids) {
      disk.remove(segmentPath(DIRECTORY, id));
      if (withSeals) disk.remove(sealPath(DIRECTORY, id));
    }
    await expect(store.backup(TARGET)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(everyFile(disk, TARGET)).toEqual(before);
    await using reader = await openReader(TARGET, { fileSystem: disk });
    expect(reader.size).toBe(13);
  });

  test.each([
    [[1], false],
    [[1, 2], false],
    [[1, 2, 3], false],
    [[1], true],
    [[1, 2], true],
    [[1, 2, 3], true],
  ])(
    'without segments %j, gone before it was opened and the mark too, never costs the earlier one: seals gone: %j',
    async (ids, withSeals) => {
      await (await backedUp()).close();
      const before = everyFile(disk, TARGET);
      for (const id of ids) {
        disk.remove(segmentPath(DIRECTORY, id));
        if (withSeals) disk.remove(sealPath(DIRECTORY, id));
      }
      disk.remove(`${DIRECTORY}/durable-mark`);
      const backUp = async () => {
        await using store = await open(disk);
        await store.backup(TARGET);
      };
      await expect(backUp()).rejects.toThrow();
      expect(everyFile(disk, TARGET)).toEqual(before);
    },
  );

  test('where another has begun one meanwhile leaves what that has put there', async () => {
    let raced: Record<string, string> | undefined;
    const other = await openStore('/other', { fileSystem: disk });
    fill(other, 6, 'of the other');
    await other.close();
    const racing = intercept(disk, (call) => {
      // Just before the marker is there, the other has linked all of its segments.
      if (call.method === 'rename' && String(call.args[1]).startsWith(TARGET) && !raced) {
        for (const name of disk.list('/other').filter((one) => one.endsWith('.dwal')))
          disk.link(`/other/${name}`, `${TARGET}/${name}`);
        raced = everyFile(disk, TARGET);
      }
      return call.proceed();
    });
    await using store = await open(racing);
    fill(store, 2);
    await expect(store.backup(TARGET)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    for (const [path, bytes] of Object.entries(raced ?? {}))
      if (path.endsWith('.dwal')) expect(disk.readFile(path).toString('hex')).toBe(bytes);
    expect(raced).toBeDefined();
    await expect(openReader(TARGET, { fileSystem: disk })).rejects.toMatchObject({
      code: 'BACKUP_UNFINISHED',
    });
  });
});
