import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DiskModel } from '../../harness/crash/disk/disk-model.ts';
import { fileSystemOf, imageOf } from '../../harness/file-systems/disk-image.ts';
import { type Call, intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../harness/file-systems/recording-file-system.ts';
import { Prng } from '../../harness/prng.ts';
import { segmentIds, segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  type FileSystem,
  openReader,
  openStore,
  type Probe,
  type Store,
} from '../../src/engine/index.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { mergeByHand } from '../support/merge-by-hand.ts';
import { DIRECTORY, everyFile, open } from './store-in-memory.ts';

const TARGET = '/backups/first';
const SEGMENT_BYTES = 400;

let disk: MemoryFileSystem;

beforeEach(() => {
  disk = new MemoryFileSystem();
});

const openSource = (fileSystem: FileSystem = disk) =>
  open(fileSystem, { segmentBytes: SEGMENT_BYTES });

/** Closed once: every segment but the last has its seal. */
async function sealedSource(rounds = 6): Promise<Store> {
  const writer = await openSource();
  for (let round = 0; round < rounds; round++) fill(writer, round);
  await writer.close();
  return openSource();
}

function fill(store: Store, round: number): void {
  for (let key = 0; key < 8; key++) store.put(`key-${key}`, `value ${key} of round ${round}`);
  store.delete(`key-${round % 8}`);
}

type Pairs = readonly string[];
const pairsOf = (view: { entries(): Iterable<[Uint8Array, Uint8Array]> }): Pairs =>
  [...view.entries()].map(([key, value]) => `${key}=${value}`).sort();

/** What the target opens as, for a reader and for a writer, or the code that it refuses with. */
async function restored(fileSystem: MemoryFileSystem): Promise<Pairs | string> {
  const open = async () => {
    await using reader = await openReader(TARGET, { fileSystem });
    const pairs = pairsOf(reader);
    await using store = await openStore(TARGET, { fileSystem: fileSystem.afterProcessDeath() });
    expect(pairsOf(store)).toEqual(pairs);
    expect(await store.verify()).toMatchObject({ damages: [] });
    return pairs;
  };
  return open().catch((error: { code?: string }) => error.code ?? String(error));
}

const inode = (path: string) => disk.stat(path)?.inode;

describe('a backup', () => {
  test('opens as the store was, whatever is written meanwhile and afterwards', async () => {
    await using store = await sealedSource();
    const expected = pairsOf(store);
    const running = store.backup(TARGET);
    await Promise.resolve();
    let round = 10;
    const writing = setInterval(() => fill(store, round++), 0);
    const report = await running;
    clearInterval(writing);
    fill(store, 100);
    expect(report.end.nextTxid).toBeGreaterThan(1);
    expect(await restored(disk)).toEqual(expected);
  });

  test('links sealed segments with their seals, and copies the active one', async () => {
    await using store = await sealedSource();
    const report = await store.backup(TARGET);
    const ids = segmentIds(disk.list(DIRECTORY));
    const last = ids.at(-1) as number;
    for (const id of ids.slice(0, -1)) {
      expect(inode(segmentPath(TARGET, id))).toBe(inode(segmentPath(DIRECTORY, id)));
      expect(inode(sealPath(TARGET, id))).toBe(inode(sealPath(DIRECTORY, id)));
    }
    expect(inode(segmentPath(TARGET, last))).not.toBe(inode(segmentPath(DIRECTORY, last)));
    expect(report).toMatchObject({ linked: ids.length - 1, copied: 1, reused: 0 });
    const { sealedBytes, activeBytes } = store.stats();
    expect(report).toMatchObject({ linkedBytes: sealedBytes, copiedBytes: activeBytes });
  });

  test('is never written into by whoever goes on in the restored store, and writes not into it', async () => {
    await using store = await sealedSource();
    store.rotate();
    await store.backup(TARGET);
    const source = everyFile(disk);
    {
      await using copy = await openStore(TARGET, { fileSystem: disk, segmentBytes: SEGMENT_BYTES });
      expect(copy.end.nextTxid).toBeGreaterThan(store.end.nextTxid + 1000);
      for (let round = 50; round < 55; round++) fill(copy, round);
    }
    expect(everyFile(disk)).toEqual(source);
  });

  test('copies where the target is on another device, and finds out what was damaged', async () => {
    const store = await openSource(
      intercept(disk, (call) => {
        if (call.method === 'link') throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' });
        return call.proceed();
      }),
    );
    for (let round = 0; round < 6; round++) fill(store, round);
    await store.close();
    await using again = await openSource(
      intercept(disk, (call) => {
        if (call.method === 'link') throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' });
        return call.proceed();
      }),
    );
    const first = await again.backup(TARGET);
    expect(first).toMatchObject({ linked: 0, linkedBytes: 0, copied: again.stats().segments });
    expect(await restored(disk)).toEqual(pairsOf(again));
    const second = await again.backup(TARGET);
    expect(second).toMatchObject({ copied: 0, reused: again.stats().segments });
    disk.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.fill(1, 150, 151));
    await expect(again.backup('/backups/second')).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      segmentId: 2,
    });
  });

  test('into an earlier one adds only what is new', async () => {
    await using store = await sealedSource();
    const first = await store.backup(TARGET);
    for (let round = 20; round < 24; round++) fill(store, round);
    await store.sync();
    const second = await store.backup(TARGET);
    expect(second.reused).toBe(first.linked);
    expect(second.linked).toBe(second.end.segmentId - first.end.segmentId);
    expect(await restored(disk)).toEqual(pairsOf(store));
    const active = segmentPath(TARGET, second.end.segmentId);
    const before = inode(active);
    const third = await store.backup(TARGET);
    const there = {
      linked: 0,
      copied: 0,
      copiedBytes: 0,
      reused: second.reused + second.linked + 1,
    };
    expect(third).toMatchObject({ ...there, end: second.end });
    expect(inode(active)).toBe(before);
    expect(await restored(disk)).toEqual(pairsOf(store));
  });

  test.each([
    ['has another byte', (name: string) => disk.mutate(name, (bytes) => bytes.fill(1, 200, 201))],
    ['is shorter', (name: string) => disk.mutate(name, (bytes) => bytes.subarray(0, -1))],
    ['cannot be read', () => {}],
  ])('copies the active segment again where the one that is there %s', async (what, damage) => {
    const bad = new Set<unknown>();
    const fileSystem = intercept(disk, (call) => {
      // More than what is looked at before a backup begins.
      const isInMiddle = call.method === 'read' && (call.args[3] as number) > 64;
      if (isInMiddle && bad.has(call.args[0]))
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      const result = call.proceed();
      if (call.method === 'open' && call.args[0] === active && what === 'cannot be read')
        bad.add(result);
      return result;
    });
    let active = '';
    await using store = await open(fileSystem);
    fill(store, 1);
    const { end } = await store.backup(TARGET);
    active = segmentPath(TARGET, end.segmentId);
    const before = inode(active);
    damage(active);
    expect(await store.backup(TARGET)).toMatchObject({ copied: 1, copiedBytes: end.offset, end });
    expect(inode(active)).not.toBe(before);
    expect(await restored(disk)).toEqual(pairsOf(store));
    expect(store.stats().openDescriptors).toBe(disk.openDescriptorCount);
  });

  test('follows a merge: takes the merged segment and empties those that it absorbed, without harm to the source', async () => {
    const store = await sealedSource();
    await store.backup(TARGET);
    await store.backup('/backups/other');
    const before = pairsOf(store);
    await store.close();
    const kept = everyFile(disk, '/backups/other');
    mergeByHand(disk, DIRECTORY, 2, 4);
    await using merged = await openSource();
    expect(pairsOf(merged)).toEqual(before);
    const report = await merged.backup(TARGET);
    for (const id of [2, 3]) {
      expect(disk.stat(segmentPath(TARGET, id))?.sizeBytes).toBe(0);
      expect(disk.stat(sealPath(TARGET, id))).toBeUndefined();
    }
    expect(inode(segmentPath(TARGET, 4))).toBe(inode(segmentPath(DIRECTORY, 4)));
    expect(report.linked).toBeGreaterThanOrEqual(1);
    expect(await restored(disk)).toEqual(before);
    expect(everyFile(disk, '/backups/other')).toEqual(kept);
  });

  test('starts again when a segment is replaced while it runs', async () => {
    await using store = await sealedSource();
    let replaced = false;
    const path = segmentPath(DIRECTORY, 2);
    const { link } = disk;
    disk.link = (from, to) => {
      link.call(disk, from, to);
      if (replaced || from !== segmentPath(DIRECTORY, 3)) return;
      replaced = true;
      disk.writeFile(path, disk.readFile(path));
      store.put('after', 'the merge');
    };
    await store.backup(TARGET);
    expect(store.get('after')).toBeDefined();
    expect(await restored(disk)).toEqual(pairsOf(store));
  });

  test('takes nothing for a target but nothing, or an untouched backup of this store of an earlier time', async () => {
    await using store = await sealedSource();
    const refusal = { code: 'TARGET_NOT_EMPTY' };
    disk.makeDirectory('/strange');
    disk.writeFile('/strange/file', Buffer.from('x'));
    disk.writeFile('/file', Buffer.from('x'));
    await expect(store.backup('/strange')).rejects.toMatchObject(refusal);
    await expect(store.backup('/file')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' });
    await expect(store.backup(DIRECTORY)).rejects.toMatchObject(refusal);
    await using other = await openStore('/other', { fileSystem: disk });
    await other.backup('/backups/other');
    await expect(store.backup('/backups/other')).rejects.toMatchObject(refusal);
    await store.backup(TARGET);
    await store.backup('/backups/old');
    await (await openStore('/backups/old', { fileSystem: disk })).close();
    await expect(store.backup('/backups/old')).rejects.toMatchObject(refusal);
    // The store as it was, restored, is not backed up over what came later.
    fill(store, 70);
    await store.backup('/backups/later');
    await using earlier = await openStore(TARGET, {
      fileSystem: disk,
      segmentBytes: SEGMENT_BYTES,
    });
    await expect(earlier.backup('/backups/later')).rejects.toMatchObject(refusal);
    for (let round = 80; round < 84; round++) fill(earlier, round);
    await expect(earlier.backup('/backups/later')).rejects.toMatchObject(refusal);
    disk.makeDirectory('/backups/empty');
    await store.backup('/backups/empty');
    expect(disk.list('/strange')).toEqual(['file']);
  });

  test('backs up a poisoned store as far as it is durable', async () => {
    let broken = false;
    const fileSystem = intercept(disk, (call) => {
      if (broken && call.method === 'write') throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return call.proceed();
    });
    await using store = await openSource(fileSystem);
    fill(store, 1);
    await store.sync();
    const durable = pairsOf(store);
    broken = true;
    expect(() => store.put('lost', 'x')).toThrow();
    broken = false;
    await store.backup(TARGET);
    expect(await restored(disk)).toEqual(durable);
  });

  test('tells the probe how much it linked and copied, and gives back its descriptors', async () => {
    const told: unknown[] = [];
    const probe: Probe = {
      event: (event) => {
        if (event.kind === 'backup')
          told.push([event.linkedBytes > 0, event.copiedBytes > 0, event.error?.code]);
      },
    };
    await using store = await open(disk, { segmentBytes: SEGMENT_BYTES, probe });
    for (let round = 0; round < 6; round++) fill(store, round);
    await store.sync();
    const before = disk.openDescriptorCount;
    await Promise.all([store.backup(TARGET), store.backup(TARGET)]);
    await store.backup(DIRECTORY).catch(() => {});
    expect(told).toEqual([
      [true, true, undefined],
      [false, false, undefined],
      [false, false, 'TARGET_NOT_EMPTY'],
    ]);
    expect(disk.openDescriptorCount).toBe(before);
    expect(store.stats().openDescriptors).toBe(before);
  });

  test('works on a real disk', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tidemark-backup-'));
    try {
      await using store = await openStore(join(root, 'data'), { segmentBytes: 4096 });
      for (let round = 0; round < 40; round++) fill(store, round);
      const { linked } = await store.backup(join(root, 'deep/er/backup'));
      expect(linked).toBeGreaterThan(2);
      const name = '00000001.dwal';
      expect(statSync(join(root, 'deep/er/backup', name)).ino).toBe(
        statSync(join(root, 'data', name)).ino,
      );
      await using reader = await openReader(join(root, 'deep/er/backup'));
      expect(pairsOf(reader)).toEqual(pairsOf(store));
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

class Killed extends Error {}

/**
 * A process that dies, once `arm(step)` was called, in change number `step` (from 0), a write
 * half-way, and changes nothing any more.
 */
function mortal(fileSystem: MemoryFileSystem) {
  let stepsLeft = Number.POSITIVE_INFINITY;
  let dead = false;
  const around = (call: Call) => {
    if (dead && isChange(call)) throw new Killed();
    if (!isChange(call) || stepsLeft-- > 0) return call.proceed();
    dead = true;
    if (call.method === 'write') {
      const [descriptor, buffer, offset, length, position] = call.args as [
        number,
        Buffer,
        number,
        number,
        number,
      ];
      fileSystem.write(descriptor, buffer, offset, length >>> 1, position);
    }
    throw new Killed();
  };
  return {
    fileSystem: intercept(fileSystem, around),
    arm: (step: number) => {
      stepsLeft = step;
    },
    died: () => dead,
  };
}

const SCENES: Readonly<Record<string, () => Promise<void>>> = {
  'into nothing': async () => {},
  'into an earlier one': async () => {
    await using store = await openSource();
    await store.backup(TARGET);
    for (let round = 30; round < 33; round++) fill(store, round);
  },
  'after a merge': async () => {
    const store = await openSource();
    await store.backup(TARGET);
    await store.close();
    mergeByHand(disk, DIRECTORY, 2, 4);
  },
  'to another device': async () => {
    disk.link = () => {
      throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' });
    };
  },
};

describe('a backup killed at any step', () => {
  test.each(Object.entries(SCENES))(
    '%s leaves the source unharmed, and a target that refuses until it is whole',
    async (_name, prepare) => {
      await (await sealedSource()).close();
      await prepare();
      const whole = disk;
      const next = () => {
        const copy = whole.afterProcessDeath();
        copy.link = whole.link;
        return copy;
      };
      const earlier = await restored(next());
      let refusals = 0;
      for (let step = 0, completed = false; !completed; step++) {
        const memory = next();
        const process = mortal(memory);
        const store = await openSource(process.fileSystem);
        const expected = pairsOf(store);
        await store.sync();
        process.arm(step);
        await store.backup(TARGET).catch((error: unknown) => {
          if (!process.died()) throw error;
        });
        completed = !process.died();
        disk = memory.afterProcessDeath();
        disk.link = memory.link;
        const found = await restored(disk.afterProcessDeath());
        if (found === 'BACKUP_UNFINISHED') refusals++;
        else
          expect(completed ? [expected] : [earlier, expected], `step ${step}`).toContainEqual(
            found,
          );
        // The source is as it was, and the next backup goes on to its end.
        const source = await openSource();
        expect(pairsOf(source)).toEqual(expected);
        expect(await source.verify()).toMatchObject({ damages: [] });
        await source.backup(TARGET);
        expect(await restored(disk), `step ${step}`).toEqual(expected);
        await source.close();
      }
      expect(refusals).toBeGreaterThan(10);
    },
  );
});

describe('a power cut in a backup', () => {
  test('into nothing or an earlier one leaves a target that refuses, or is whole', async () => {
    const outcomes = new Set<string>();
    for (const scene of ['into nothing', 'into an earlier one', 'after a merge'] as const) {
      disk = new MemoryFileSystem();
      await (await sealedSource()).close();
      await SCENES[scene]?.();
      const earlier = await restored(disk.afterProcessDeath());
      const first = imageOf(disk);
      const inodes = new Map([...first.files.keys()].map((path) => [path, inode(path) as number]));
      const recording = new RecordingFileSystem(disk);
      const store = await openSource(recording);
      const expected = pairsOf(store);
      await store.sync();
      const from = recording.trace.length;
      await store.backup(TARGET);
      const { trace } = recording;
      const prng = Prng.seeded(7);
      for (let turn = 0; turn < 20; turn++) {
        const model = new DiskModel(first, (path) => inodes.get(path) as number);
        for (const [at, event] of trace.entries()) {
          model.advance(event, at);
          if (at < from || (turn > 0 && prng.below(4) > 0)) continue;
          const lossy = turn % 3;
          const image = model.image(() =>
            lossy === 0 || (lossy === 1 && prng.below(2) === 0) ? 'lost' : 'kept',
          );
          const found = await restored(fileSystemOf(image));
          if (typeof found === 'string') outcomes.add(found);
          if (found === 'BACKUP_UNFINISHED' || found === 'NOT_FOUND') continue;
          outcomes.add('whole');
          expect([earlier, expected], `${scene}, event ${at} of ${trace.length}`).toContainEqual(
            found,
          );
        }
      }
      await store.close();
    }
    expect([...outcomes].sort()).toEqual(['BACKUP_UNFINISHED', 'NOT_FOUND', 'whole']);
  });
});
