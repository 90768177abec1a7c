import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { WorkPerTurn } from '../../harness/file-systems/work-per-turn.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openReader, openStore, salvage } from '../../src/engine/index.ts';

const DIRECTORY = '/store';
const MEBIBYTE = 1024 * 1024;
/** Two slices of an opening, since a turn may fall between them, and a chunk that is under way. */
const MOST_BYTES = 8 * MEBIBYTE;

/** Closed in order: `segments` of them, of `valueBytes` and a little more. */
async function stored(segments: number, valueBytes: number): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  const value = Buffer.alloc(valueBytes, 7);
  for (let index = 0; index < segments; index++) {
    store.put(`key-${index}`, value);
    if (index % 2 === 1) store.put(`key-${index - 1}`, value);
    store.rotate();
    if (index % 50 === 0) await store.sealsWritten();
  }
  await store.sealsWritten();
  await store.close();
  return fileSystem;
}

function without(fileSystem: MemoryFileSystem, name: RegExp): MemoryFileSystem {
  const copy = fileSystem.afterProcessDeath();
  for (const file of copy.list(DIRECTORY)) {
    if (name.test(file)) copy.remove(`${DIRECTORY}/${file}`);
  }
  return copy;
}

/** Adds a tail that a crash may leave, or whoever made a file longer that holds nothing. */
function withTail(fileSystem: MemoryFileSystem, tail: Buffer): MemoryFileSystem {
  const copy = fileSystem.afterProcessDeath();
  const last = Math.max(
    ...copy.list(DIRECTORY).map((name) => Number(/^(\d{8})\.dwal$/.exec(name)?.[1] ?? 0)),
  );
  copy.mutate(segmentPath(DIRECTORY, last), (bytes) => Buffer.concat([bytes, tail]));
  return copy;
}

const zeros = Buffer.alloc(16 * MEBIBYTE);
/** Headers that each claim a frame of a megabyte and a half. */
const claims = Buffer.alloc(16 * MEBIBYTE);
for (let at = 0; at + 24 < claims.length; at += MEBIBYTE / 2) {
  claims.write('DWAL\u0001\u0000\u0001\u0000', at, 'latin1');
  claims.writeUInt32LE(1.5 * MEBIBYTE, at + 20);
  claims.writeUInt8(1 + at / MEBIBYTE, at + 8);
}

const small = await stored(400, 10);
const large = await stored(12, MEBIBYTE);

const STORES: readonly [string, MemoryFileSystem][] = [
  ['400 small segments with seals', small],
  ['400 small segments without seals', without(small, /\.seal$/)],
  ['400 small segments of another writer', without(small, /\.seal$|durable-mark|\.lock/)],
  ['12 segments of a megabyte', large],
  ['12 segments of a megabyte of another writer', without(large, /\.seal$|durable-mark|\.lock/)],
  ['a tail that holds nothing', withTail(large, zeros)],
  ['such a tail and no mark', withTail(without(large, /durable-mark/), zeros)],
  ['a tail of claims', withTail(large, claims)],
];

const WAYS = [
  [
    'openStore',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      await (await openStore(DIRECTORY, { fileSystem, onOpenProgress })).close();
    },
  ],
  [
    'openStore, full',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      await (await openStore(DIRECTORY, { fileSystem, onOpenProgress, open: 'full' })).close();
    },
  ],
  [
    'openReader',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      await (await openReader(DIRECTORY, { fileSystem, onOpenProgress })).close();
    },
  ],
  [
    'verify',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      const reader = await openReader(DIRECTORY, { fileSystem, onOpenProgress });
      await reader.verify();
      await reader.close();
    },
  ],
  [
    'backup',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      const store = await openStore(DIRECTORY, { fileSystem, onOpenProgress });
      await store.backup('/backup');
      await store.close();
    },
  ],
  [
    'compactTo',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      const store = await openStore(DIRECTORY, { fileSystem, onOpenProgress });
      await store.compactTo('/compact');
      await store.close();
    },
  ],
  [
    'compact',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      const store = await openStore(DIRECTORY, { fileSystem, onOpenProgress });
      await store.compact();
      await store.close();
    },
  ],
  [
    'exportJsonl',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      const reader = await openReader(DIRECTORY, { fileSystem, onOpenProgress });
      await reader.exportJsonl('/export');
      await reader.close();
    },
  ],
  [
    'salvage',
    async (fileSystem: MemoryFileSystem, onOpenProgress: () => void) => {
      await salvage(DIRECTORY, '/salvaged', { fileSystem });
      onOpenProgress();
    },
  ],
] as const;

/** What only goes over what an opening took, so that two stores do. */
const AFTER_OPENING = new Set(['backup', 'compactTo', 'compact', 'exportJsonl']);

describe.each(STORES)('%s', (name, original) => {
  const isOfAll = name.startsWith('400 small segments with seals') || name.includes('claims');
  test.each(WAYS.filter(([what]) => isOfAll || !AFTER_OPENING.has(what)))(
    '%s lets others run after so much work, whatever the sizes of its pieces',
    async (_what, work) => {
      const measure = new WorkPerTurn();
      const fileSystem = measure.of(original.afterProcessDeath());
      let told = 0;
      // What has to be refused is refused in slices as well.
      await measure.during(() => work(fileSystem, () => told++)).catch(() => told++);
      expect(measure.mostBytes).toBeLessThanOrEqual(MOST_BYTES);
      expect(told).toBeGreaterThan(0);
    },
  );
});

test('an opening of many small segments tells how far it has come, and that it is done', async () => {
  for (const [, original] of STORES.slice(0, 3)) {
    const told: [number, number][] = [];
    const reader = await openReader(DIRECTORY, {
      fileSystem: original.afterProcessDeath(),
      onOpenProgress: (doneBytes, totalBytes) => told.push([doneBytes, totalBytes]),
    });
    await reader.close();
    expect(told.length).toBeGreaterThan(5);
    const [done, total] = told.at(-1) as [number, number];
    expect(done).toBe(total);
    const counts = told.map(([doneBytes]) => doneBytes);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  }
});
