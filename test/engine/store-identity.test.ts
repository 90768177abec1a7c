import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openReader, openStore, type Store } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SMALL = { segmentBytes: 1024 };
/** Enough to fill a segment. */
const PUTS = 12;
const VALUE = 'v'.repeat(100);

function contents(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path, createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

/** Puts until one is refused, and returns the keys that were acknowledged as durable. */
async function putUntilRefused(
  store: Store,
  prefix: string,
): Promise<{ acknowledged: string[]; refusal: unknown }> {
  const acknowledged: string[] = [];
  for (let number = 0; number < PUTS; number++) {
    const key = `${prefix}-${number}`;
    try {
      await store.putDurable(key, VALUE);
    } catch (refusal) {
      return { acknowledged, refusal };
    }
    acknowledged.push(key);
  }
  return { acknowledged, refusal: undefined };
}

async function storeWith(directory: string, prefix: string): Promise<void> {
  const store = await openStore(directory, SMALL);
  for (let number = 0; number < 20; number++) store.put(`${prefix}-${number}`, VALUE);
  await store.close();
}

async function expectKeys(directory: string, keys: readonly string[]): Promise<void> {
  const store = await openStore(directory);
  expect(keys.filter((key) => !store.has(key))).toEqual([]);
  await store.close();
}

/** What somebody does to the directory of a store that is open, and where its files are then. */
const MOVES: readonly (readonly [
  name: string,
  act: (root: string) => void,
  movedTo: string | undefined,
])[] = [
  [
    'moved, and another store is put in its place',
    (root) => {
      renameSync(join(root, 'data'), join(root, 'old'));
      renameSync(join(root, 'other'), join(root, 'data'));
    },
    'old',
  ],
  [
    'moved, and an empty directory is put in its place',
    (root) => {
      renameSync(join(root, 'data'), join(root, 'old'));
      mkdirSync(join(root, 'data'));
    },
    'old',
  ],
  [
    'moved, and a copy of it is put in its place',
    (root) => {
      renameSync(join(root, 'data'), join(root, 'old'));
      cpSync(join(root, 'old'), join(root, 'data'), { recursive: true, preserveTimestamps: true });
    },
    'old',
  ],
  [
    'moved, its lock file is put into another one, and that in its place',
    (root) => {
      renameSync(join(root, 'data'), join(root, 'old'));
      renameSync(join(root, 'old', '.lock'), join(root, 'other', '.lock'));
      renameSync(join(root, 'other'), join(root, 'data'));
    },
    'old',
  ],
  ['moved away', (root) => renameSync(join(root, 'data'), join(root, 'old')), 'old'],
  ['removed', (root) => rmSync(join(root, 'data'), { recursive: true }), undefined],
  [
    'emptied of everything but its lock files',
    (root) => {
      for (const name of readdirSync(join(root, 'data')))
        if (!name.startsWith('.')) rmSync(join(root, 'data', name), { recursive: true });
    },
    undefined,
  ],
  [
    'removed and made again',
    (root) => {
      rmSync(join(root, 'data'), { recursive: true });
      mkdirSync(join(root, 'data'));
    },
    undefined,
  ],
  ['robbed of its lock file', (root) => unlinkSync(join(root, 'data', '.lock')), 'data'],
  [
    'given another lock file',
    (root) => {
      cpSync(join(root, 'data', '.lock'), join(root, 'copy'));
      renameSync(join(root, 'copy'), join(root, 'data', '.lock'));
    },
    'data',
  ],
];

describe('a directory that, while its store is open, is', () => {
  test.each(MOVES)('%s: nothing more is acknowledged, and nothing is lost', async (_, act, at) => {
    const root = temporaryDirectory();
    await storeWith(join(root, 'other'), 'other');
    const others = digests(join(root, 'other'));
    const store = await openStore(join(root, 'data'), SMALL);
    const before = await putUntilRefused(store, 'before');
    expect(before.refusal).toBeUndefined();
    act(root);
    const after = await putUntilRefused(store, 'after');
    expect(after.acknowledged).toEqual([]);
    // A sync or a seal in the background may come upon it first; then the put is told of that.
    const isFirst = (after.refusal as { code?: string }).code !== 'WRITER_POISONED';
    const refusal = isFirst ? after.refusal : store.poisoned;
    expect(refusal).toMatchObject({ code: 'STORE_MOVED', indeterminate: true });
    expect(String(refusal)).toContain(join(root, 'data'));
    expect(store.poisoned).toMatchObject({ code: 'STORE_MOVED' });
    expect(() => store.put('late', VALUE)).toThrow(
      expect.objectContaining({ code: 'WRITER_POISONED' }),
    );
    await store.close();
    const now = [...contents(root).values()];
    expect(others.filter((digest) => !now.includes(digest))).toEqual([]);
    if (at === undefined) return;
    // Without the lock file nothing tells whose it is, and it would count until it is stale.
    rmSync(join(root, at, '.lock.lock'), { recursive: true, force: true });
    await expectKeys(join(root, at), before.acknowledged);
  });

  test.each(MOVES)('%s: a rotation makes no file', async (_, act) => {
    const root = temporaryDirectory();
    await storeWith(join(root, 'other'), 'other');
    const store = await openStore(join(root, 'data'), SMALL);
    await store.putDurable('key', VALUE);
    act(root);
    const before = contents(root);
    expect(() => store.rotate()).toThrow(expect.objectContaining({ code: 'STORE_MOVED' }));
    expect(contents(root)).toEqual(before);
    expect(store.poisoned).toMatchObject({ code: 'STORE_MOVED' });
    await store.close();
  });

  test.each(MOVES)('%s: no merge, seal or backup goes anywhere', async (_, act) => {
    const root = temporaryDirectory();
    await storeWith(join(root, 'other'), 'other');
    const store = await openStore(join(root, 'data'), SMALL);
    for (let number = 0; number < 60; number++) store.put(`key-${number % 15}`, VALUE);
    await store.sealsWritten();
    act(root);
    const before = contents(root);
    expect(await rejectionOf(store.compact())).toMatchObject({ code: 'STORE_MOVED' });
    expect(contents(root)).toEqual(before);
    const names = [...before.keys()];
    await store.close();
    expect([...contents(root).keys()]).toEqual(names);
  });
});

/** Digests of the files of a store, but for its lock file, which says no more than who had it. */
function digests(directory: string): string[] {
  return [...contents(directory)].flatMap(([path, digest]) =>
    basename(path) === '.lock' ? [] : [digest],
  );
}

test('a store that was opened through a link stays where the link led to', async () => {
  const root = temporaryDirectory();
  await storeWith(join(root, 'other'), 'other');
  const others = contents(join(root, 'other'));
  mkdirSync(join(root, 'first'));
  symlinkSync('first', join(root, 'current'));
  const store = await openStore(join(root, 'current'), SMALL);
  unlinkSync(join(root, 'current'));
  symlinkSync('other', join(root, 'current'));
  const { acknowledged, refusal } = await putUntilRefused(store, 'key');
  expect(refusal).toBeUndefined();
  expect(acknowledged).toHaveLength(PUTS);
  await store.compact({ deadRatio: 0 });
  await store.close();
  expect(contents(join(root, 'other'))).toEqual(others);
  await expectKeys(join(root, 'first'), acknowledged);
});

test('a reader that was opened through a link stays where the link led to', async () => {
  const root = temporaryDirectory();
  await storeWith(join(root, 'first'), 'first');
  await storeWith(join(root, 'other'), 'other');
  symlinkSync('first', join(root, 'current'));
  const reader = await openReader(join(root, 'current'), { descriptorPoolSize: 0 });
  unlinkSync(join(root, 'current'));
  symlinkSync('other', join(root, 'current'));
  await reader.refresh();
  expect(String(reader.get('first-0'))).toBe(VALUE);
  expect(reader.has('other-0')).toBe(false);
  await reader.close();
});

test('a get never answers from a store that was put in its place', async () => {
  const root = temporaryDirectory();
  for (const name of ['data', 'other']) {
    const store = await openStore(join(root, name), SMALL);
    for (let number = 0; number < 20; number++) store.put(`key-${number}`, `${name} `.slice(0, 4));
    await store.close();
  }
  for (const descriptorPoolSize of [0, 16]) {
    const store = await openStore(join(root, 'data'), { ...SMALL, descriptorPoolSize });
    renameSync(join(root, 'data'), join(root, 'old'));
    renameSync(join(root, 'other'), join(root, 'data'));
    expect(() => store.get('key-3')).toThrow(expect.objectContaining({ code: 'STORE_MOVED' }));
    await store.close().catch(() => {});
    renameSync(join(root, 'data'), join(root, 'other'));
    renameSync(join(root, 'old'), join(root, 'data'));
  }
});

describe('when the lock files of an open store are removed', () => {
  test('a second writer does not write into its segment', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const first = await openStore(directory);
    await first.putDurable('first', VALUE);
    unlinkSync(join(directory, '.lock'));
    rmSync(join(directory, '.lock.lock'), { recursive: true });
    expect(await rejectionOf(openStore(directory))).toMatchObject({ code: 'STORE_LOCKED' });
    first.put('unsynced', VALUE);
    expect(await rejectionOf(first.sync())).toMatchObject({ code: 'STORE_MOVED' });
    await first.close();
    await expectKeys(directory, ['first', 'unsynced']);
  });

  test('a store whose files another directory shares by hard links opens in one of them only', async () => {
    const root = temporaryDirectory();
    const first = await openStore(join(root, 'data'));
    await first.putDurable('first', VALUE);
    mkdirSync(join(root, 'shared'));
    const { linkSync } = await import('node:fs');
    for (const name of ['00000001.dwal', 'durable-mark'])
      linkSync(join(root, 'data', name), join(root, 'shared', name));
    expect(await rejectionOf(openStore(join(root, 'shared')))).toMatchObject({
      code: 'STORE_LOCKED',
    });
    await first.putDurable('second', VALUE);
    await first.close();
  });
});
