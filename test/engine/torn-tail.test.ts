import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openStore, type Store } from '../../src/engine/index.ts';

/**
 * Every byte at which a log can end. After the cut the store must hold the longest valid prefix,
 * take new writes, and keep both through a sync and another death: datawal appended behind the
 * garbage and lost what came after.
 */
const PUTS = 12;
const DIRECTORY = '/store';

interface Written {
  readonly fileSystem: MemoryFileSystem;
  /**
   * Offsets in the last segment at which a frame ends, with the number of puts that are whole
   * there.
   */
  readonly ends: ReadonlyMap<number, number>;
  readonly lastSegment: number;
  readonly lastBytes: number;
  readonly durableOffset: number;
}

/** A log of two segments, the first of them sealed; `synced` puts of the second are durable. */
async function writeLog(synced: number): Promise<Written> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (let index = 0; index < PUTS; index++) put(store, index);
  store.rotate();
  await store.sync();
  const ends = new Map([[0, PUTS]]);
  for (let index = PUTS; index < 2 * PUTS; index++) {
    put(store, index);
    ends.set(store.end.offset, index + 1);
    if (index - PUTS + 1 === synced) await store.sync();
  }
  const { segmentId: lastSegment, offset: lastBytes } = store.end;
  return { fileSystem, ends, lastSegment, lastBytes, durableOffset: store.durableEnd.offset };
}

function put(store: Store, index: number): void {
  store.put(`key-${index}`, `value ${index} `.repeat(index % 3));
}

function cutAt(written: Written, length: number): MemoryFileSystem {
  const fileSystem = written.fileSystem.afterProcessDeath();
  fileSystem.mutate(segmentPath(DIRECTORY, written.lastSegment), (bytes) =>
    Buffer.from(bytes.subarray(0, length)),
  );
  return fileSystem;
}

function wholeAt(written: Written, length: number): number {
  return Math.max(...[...written.ends].filter(([end]) => end <= length).map(([, count]) => count));
}

async function expectKeptAndWritable(fileSystem: MemoryFileSystem, kept: number): Promise<void> {
  const store = await openStore(DIRECTORY, { fileSystem });
  expect(store.size).toBe(kept);
  for (let index = 0; index < kept; index++) expect(store.has(`key-${index}`)).toBe(true);
  store.put('after', 'the tear');
  await store.sync();
  const again = await openStore(DIRECTORY, { fileSystem: fileSystem.afterProcessDeath() });
  expect(again.size).toBe(kept + 1);
  expect(String(again.get('after'))).toBe('the tear');
  for (let index = 0; index < kept; index++) {
    expect(String(again.get(`key-${index}`))).toBe(`value ${index} `.repeat(index % 3));
  }
  expect(again.recoveryReport.discarded).toEqual([]);
  await again.close();
}

describe('torn tail', () => {
  test('a log cut at any byte after the durable mark keeps every whole record, and loses nothing written after', async () => {
    const written = await writeLog(3);
    for (let length = written.durableOffset; length <= written.lastBytes; length++) {
      await expectKeptAndWritable(cutAt(written, length), wholeAt(written, length));
    }
  });

  test('a log cut at any byte before the durable mark is refused, and nothing is changed', async () => {
    const written = await writeLog(PUTS);
    for (let length = 0; length < written.durableOffset; length++) {
      const fileSystem = cutAt(written, length);
      await expect(openStore(DIRECTORY, { fileSystem })).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        segmentId: written.lastSegment,
      });
      expect(fileSystem.readFile(segmentPath(DIRECTORY, written.lastSegment)).length).toBe(length);
      expect(fileSystem.openDescriptorCount).toBe(0);
    }
  });

  test('without sidecars a log cut at any byte keeps every whole record, and loses nothing written after', async () => {
    const written = await writeLog(3);
    for (let length = 0; length <= written.lastBytes; length++) {
      const fileSystem = cutAt(written, length);
      fileSystem.remove(`${DIRECTORY}/durable-mark`);
      fileSystem.remove(`${DIRECTORY}/.lock`);
      await expectKeptAndWritable(fileSystem, wholeAt(written, length));
    }
  });

  test('a tail of zeros of any length, where the power went before the data was written, is cut off', async () => {
    const written = await writeLog(PUTS);
    for (let zeros = 1; zeros <= 64; zeros++) {
      const fileSystem = written.fileSystem.afterProcessDeath();
      const path = segmentPath(DIRECTORY, written.lastSegment);
      fileSystem.mutate(path, (bytes) => Buffer.concat([bytes, Buffer.alloc(zeros)]));
      await expectKeptAndWritable(fileSystem, 2 * PUTS);
    }
  });
});
