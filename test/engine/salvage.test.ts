import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  openLog,
  openStore,
  type RecordRef,
  RecordType,
  type SalvageReport,
  type Store,
  salvage,
} from '../../src/engine/index.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';

const PUTS = 30;

async function writeStore(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem, segmentBytes: 400 });
  for (let index = 0; index < PUTS; index++) store.put(`key-${index}`, `value ${index}`);
  await store.close();
  return fileSystem;
}

function snapshot(fileSystem: MemoryFileSystem, directory: string): Record<string, string> {
  const names = fileSystem
    .list(directory)
    .filter((name) => fileSystem.stat(`${directory}/${name}`)?.kind === 'file');
  return Object.fromEntries(
    names.map((name) => [name, fileSystem.readFile(`${directory}/${name}`).toString('hex')]),
  );
}

/**
 * The keys of all lost records as the seals name them; undefined for a range of which none tells.
 */
function namedBy(report: SalvageReport): (string | undefined)[] {
  return report.lost.flatMap(({ bySeal }) =>
    bySeal === undefined ? [undefined] : bySeal.records.map(({ key }) => String(key)),
  );
}

function keysNotIn(store: Store): string[] {
  return Array.from({ length: PUTS }, (_, index) => `key-${index}`).filter(
    (key) => !store.has(key),
  );
}

async function salvaged(
  fileSystem: MemoryFileSystem,
): Promise<{ report: SalvageReport; gone: string[] }> {
  const report = await salvage('/store', '/rescued', { fileSystem });
  const store = await openStore('/rescued', { fileSystem });
  const gone = keysNotIn(store);
  await store.close();
  return { report, gone };
}

describe('salvage', () => {
  test('one damaged byte anywhere costs one record, is listed, and leaves the source alone', async () => {
    const written = await writeStore();
    const segments = written.list('/store').filter((name) => name.endsWith('.dwal'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...segments),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, at, flip) => {
          const fileSystem = written.afterProcessDeath();
          fileSystem.mutate(`/store/${name}`, (bytes) => {
            const index = at % bytes.length;
            bytes[index] = (bytes[index] as number) ^ flip;
            return undefined;
          });
          const before = snapshot(fileSystem, '/store');
          const report = await salvage('/store', '/rescued', { fileSystem });
          expect(snapshot(fileSystem, '/store')).toEqual(before);
          expect(report.recordsKept).toBe(PUTS - 1);
          expect(report).toMatchObject({ lost: [{ byteLength: report.lostBytes }], lostCount: 1 });
          const store = await openStore('/rescued', { fileSystem });
          expect(store.recoveryReport.outcome).toBe('clean');
          expect(store.size).toBe(PUTS - 1);
          for (const [key, value] of store.entries())
            expect(String(value)).toBe(String(key).replace('key-', 'value '));
          const isSealed = name !== segments.at(-1);
          expect(namedBy(report)).toEqual(isSealed ? keysNotIn(store) : [undefined]);
          await store.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a store that datawal went on writing behind a tear gives up both sides of it', async () => {
    const fileSystem = new MemoryFileSystem();
    const log = await openLog('/store', { fileSystem });
    for (const payload of ['one', 'two', 'three']) log.append(payload);
    await log.close();
    const path = segmentPath('/store', 1);
    const whole = fileSystem.readFile(path);
    // Fault 1: torn inside the third record, the next ones appended behind the garbage.
    fileSystem.mutate(path, () => Buffer.concat([whole.subarray(0, whole.length - 5), whole]));
    fileSystem.remove('/store/durable-mark');
    await expect(openLog('/store', { fileSystem })).rejects.toThrow(/tidemark salvage/);
    const report = await salvage('/store', '/rescued', { fileSystem });
    // The first two of them are the very frames that stand in front of the tear.
    expect(report).toMatchObject({ recordsKept: 3, lost: [{ damage: 'crc-mismatch' }] });
    const rescued = await openLog('/rescued', { fileSystem });
    expect([...rescued.scan()].map(({ type, payload }) => [type, String(payload)])).toEqual(
      ['one', 'two', 'three'].map((text) => [RecordType.Raw, text]),
    );
    await rescued.close();
  });

  test('a missing segment is named, and by its seal every key that was in it', async () => {
    const fileSystem = await writeStore();
    fileSystem.remove(segmentPath('/store', 2));
    const { report, gone } = await salvaged(fileSystem);
    expect(report).toMatchObject({
      missingSegments: [2],
      lost: [{ segmentId: 2, offset: 0, damage: 'missing-segment' }],
    });
    expect(gone.length).toBeGreaterThan(0);
    expect(namedBy(report)).toEqual(gone);
  });

  test.each([0, 48, 60])(
    'a sealed segment cut to %d bytes has lost what its seal knows behind them',
    async (sizeBytes) => {
      const fileSystem = await writeStore();
      fileSystem.mutate(segmentPath('/store', 2), (bytes) => bytes.subarray(0, sizeBytes));
      const { report, gone } = await salvaged(fileSystem);
      expect(report.lost.at(-1)).toMatchObject({
        segmentId: 2,
        offset: sizeBytes,
        damage: 'segment-too-short',
      });
      expect(namedBy(report)).toEqual(gone);
    },
  );

  test('what the mark knows to be durable and is gone is lost, be it a whole segment', async () => {
    const cut = await writeStore();
    const lastId = listSegments(cut, '/store').at(-1)?.segmentId as number;
    cut.mutate(segmentPath('/store', lastId), () => Buffer.alloc(0));
    expect((await salvaged(cut)).report).toMatchObject({
      lost: [{ segmentId: lastId, offset: 0, damage: 'segment-too-short' }],
      missingSegments: [],
    });
    const removed = await writeStore();
    removed.remove(segmentPath('/store', lastId));
    expect((await salvaged(removed)).report).toMatchObject({
      lost: [{ segmentId: lastId, offset: 0, damage: 'missing-segment' }],
      missingSegments: [lastId],
      missingSegmentCount: 1,
    });
  });

  test('a seal that is not of its segment names nothing of a damaged range, and all that is nowhere', async () => {
    const fileSystem = await writeStore();
    const other = fileSystem.readFile(segmentPath('/store', 3));
    other[30] = (other[30] as number) ^ 1;
    fileSystem.mutate(segmentPath('/store', 2), () => other);
    const { report } = await salvaged(fileSystem);
    expect(report.lost).toMatchObject([
      { segmentId: 2, offset: 0, damage: 'crc-mismatch', bySeal: undefined },
      { segmentId: 2, offset: 0, damage: 'contradicts-seal', bySeal: { recordCount: 9 } },
    ]);
  });

  test('a lost Delete is named as one', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/store', { fileSystem });
    store.put('key-0', 'value');
    const { byteLength } = store.refOf('key-0') as RecordRef;
    store.delete('key-0');
    store.rotate();
    await store.close();
    fileSystem.mutate(segmentPath('/store', 1), (bytes) => {
      bytes[byteLength + 24] = 0;
      return undefined;
    });
    expect((await salvage('/store', '/rescued', { fileSystem })).lost).toMatchObject([
      { offset: byteLength, bySeal: { recordCount: 1, records: [{ type: RecordType.Delete }] } },
    ]);
  });

  test.each([
    ['many', 3_000, 8, 1_000],
    ['long', 200, 60_000, 69],
  ])(
    'of %s keys that a seal names, only the first are listed',
    async (_, count, keyBytes, listed) => {
      const fileSystem = new MemoryFileSystem();
      const store = await openStore('/store', { fileSystem });
      for (let index = 0; index < count; index++)
        store.put(String(index).padStart(keyBytes, '0'), '');
      store.rotate();
      store.put('last', '');
      await store.close();
      fileSystem.mutate(segmentPath('/store', 1), () => Buffer.alloc(0));
      fileSystem.mutate('/store/durable-mark', (bytes) => bytes.fill(0));
      const { lost } = await salvage('/store', '/rescued', { fileSystem });
      expect(lost[0]?.bySeal?.recordCount).toBe(count);
      expect(lost[0]?.bySeal?.records).toHaveLength(listed);
    },
  );

  test('more ranges than anybody reads are counted, and not all listed', async () => {
    const fileSystem = new MemoryFileSystem();
    const log = await openLog('/store', { fileSystem });
    log.append('');
    await log.close();
    const path = segmentPath('/store', 1);
    const frame = fileSystem.readFile(path);
    const COUNT = 10_100;
    fileSystem.mutate(path, () =>
      Buffer.concat(Array.from({ length: COUNT }, () => [frame, Buffer.alloc(1)]).flat()),
    );
    const report = await salvage('/store', '/rescued', { fileSystem });
    expect(report).toMatchObject({ recordsKept: 1, lostCount: COUNT, lostBytes: COUNT });
    expect(report.lost).toHaveLength(10_000);
  });

  test('of a store that has lost nothing, nothing is said to be lost, whatever merges have emptied', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/store', { fileSystem, segmentBytes: 400 });
    for (let round = 0; round < 6; round++) {
      for (let index = 0; index < PUTS; index++) store.put(`key-${index}`, `value ${index}`);
      await store.compact({ deadRatio: 0.1 });
      expect(await salvage('/store', `/rescued-${round}`, { fileSystem })).toMatchObject({
        lost: [],
        missingSegments: [],
      });
    }
    await store.close();
  });

  test('what the disk does not give costs the records that it holds, and no other', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/store', { fileSystem });
    const value = (index: number) => Buffer.alloc(500, index);
    for (let index = 0; index < PUTS; index++) store.put(`key-${index}`, value(index));
    const hit = Array.from({ length: PUTS }, (_, index) => `key-${index}`).filter((key) => {
      const { offset, byteLength } = store.refOf(key) as RecordRef;
      return offset < 8192 && offset + byteLength > 4096;
    });
    store.rotate();
    store.put('last', '');
    await store.close();
    const { read } = fileSystem;
    const bad = new Set<number>();
    const { open } = fileSystem;
    fileSystem.open = (path, mode) => {
      const descriptor = open.call(fileSystem, path, mode);
      if (path === segmentPath('/store', 1)) bad.add(descriptor);
      else bad.delete(descriptor);
      return descriptor;
    };
    fileSystem.read = (descriptor, buffer, offset, length, position) => {
      if (bad.has(descriptor) && position < 8192 && position + length > 4096)
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      return read.call(fileSystem, descriptor, buffer, offset, length, position);
    };
    const { report, gone } = await salvaged(fileSystem);
    expect(report).toMatchObject({
      recordsKept: PUTS + 1 - hit.length,
      lostCount: 1,
      lost: [{ damage: 'unreadable' }],
    });
    expect(hit.length).toBeGreaterThan(6);
    expect(gone).toEqual(hit);
    expect(namedBy(report)).toEqual(hit);
  });

  test('it never writes into something that exists', async () => {
    const fileSystem = await writeStore();
    await expect(salvage('/store', '/store', { fileSystem })).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    await expect(salvage('/nowhere', '/rescued', { fileSystem })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(fileSystem.stat('/rescued')).toBeUndefined();
  });
});
