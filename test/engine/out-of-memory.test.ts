import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore, type Store } from '../../src/engine/index.ts';
import { failureOf } from '../support/rejection.ts';

/**
 * Refuses every array once so many bytes were given, as when the process is at its limit.
 */
function exhaustMemory(leftBytes = 0): void {
  let left = leftBytes;
  const exhausted = new Proxy(Uint32Array, {
    construct(target, args) {
      const made = Reflect.construct(target, args);
      left -= made.byteLength;
      if (left < 0) throw new RangeError('Array buffer allocation failed');
      return made;
    },
  });
  vi.stubGlobal('Uint32Array', exhausted);
}

afterEach(() => vi.unstubAllGlobals());

async function filledStore(keys = 1000, fileSystem = new MemoryFileSystem()): Promise<Store> {
  const store = await openStore('/store', { fileSystem });
  for (let index = 0; index < keys; index++) store.put(`key-${index}`, `value ${index}`);
  return store;
}

describe('out of memory while the keydir grows', () => {
  test('a put is refused before anything is written, and the store reads and goes on', async () => {
    const store = await filledStore();
    exhaustMemory();
    // Until a shard is full.
    let put = 0;
    expect(() => {
      for (; put < 100_000; put++) store.put(`more-${put}`, 'value');
    }).toThrow('OUT_OF_MEMORY');
    const { end } = store;
    expect(await failureOf(() => store.put(`more-${put}`, 'again'))).toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
    expect(store.end).toEqual(end);
    expect(store.poisoned).toBeUndefined();
    expect(String(store.get('key-7'))).toBe('value 7');
    expect(store.put('key-7', 'a key that is there needs no memory').segmentId).toBe(1);
    vi.unstubAllGlobals();
    store.put(`more-${put}`, 'there is memory again');
    expect(store.size).toBe(1000 + put + 1);
    await store.close();
  });

  test('deletes are done all the same, and give the memory of their keys back once there is some again', async () => {
    const store = await filledStore(10_000);
    const { keydirBytes } = store.stats();
    exhaustMemory();
    for (let index = 0; index < 9000; index++) expect(store.delete(`key-${index}`)).toBe(true);
    expect(store.size).toBe(1000);
    expect(store.stats().keydirBytes).toBe(keydirBytes);
    expect(String(store.get('key-9007'))).toBe('value 9007');
    vi.unstubAllGlobals();
    for (let index = 9000; index < 9999; index++) store.delete(`key-${index}`);
    expect([...store.keys()].map(String)).toEqual(['key-9999']);
    expect(store.stats().keydirBytes).toBeLessThan(keydirBytes / 2);
    await store.close();
  });

  test('an opening that finds no memory for the keys says so, and one that finds it has them all', async () => {
    const fileSystem = new MemoryFileSystem();
    await (await filledStore(20_000, fileSystem)).close();
    for (const leftBytes of [100_000, 600_000]) {
      exhaustMemory(leftBytes);
      expect(await failureOf(() => openStore('/store', { fileSystem }))).toMatchObject({
        code: 'OUT_OF_MEMORY',
      });
      vi.unstubAllGlobals();
    }
    const store = await openStore('/store', { fileSystem });
    expect(store.size).toBe(20_000);
    await store.close();
  });

  test('a batch is refused as a whole before anything is written', async () => {
    const store = await filledStore();
    const { end } = store;
    const operations = Array.from({ length: 5000 }, (_, index) => ({
      type: 'put' as const,
      key: `new-${index}`,
      value: 'value',
    }));
    exhaustMemory();
    expect(await failureOf(() => store.batch(operations))).toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(store.end).toEqual(end);
    expect(store.size).toBe(1000);
    vi.unstubAllGlobals();
    store.batch(operations);
    expect(store.size).toBe(6000);
    await store.close();
  });
});
