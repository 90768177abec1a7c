import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore } from '../../src/engine/index.ts';

const KEYS = 40;

describe('getMany', () => {
  test('gives what get gives for each key, in the order of the keys, with no more preads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.nat(KEYS), sizeBytes: fc.nat(3000), remove: fc.boolean() }), {
          maxLength: 80,
        }),
        fc.array(fc.nat(KEYS + 5), { maxLength: 60 }),
        async (writes, wanted) => {
          let preads = 0;
          const fileSystem = intercept(new MemoryFileSystem(), ({ method, proceed }) => {
            if (method === 'read') preads++;
            return proceed();
          });
          const store = await openStore('/store', { fileSystem, segmentBytes: 8000 });
          for (const { key, sizeBytes, remove } of writes) {
            if (remove) store.delete(`key-${key}`);
            else store.put(`key-${key}`, Buffer.alloc(sizeBytes, key));
          }
          const keys = wanted.map((key) => `key-${key}`);
          preads = 0;
          const expected = keys.map((key) => store.get(key));
          const oneByOne = preads;
          preads = 0;
          const found = store.getMany(keys);
          expect(preads).toBeLessThanOrEqual(oneByOne);
          expect(found).toEqual(expected);
          await store.close();
        },
      ),
      { numRuns: 100 },
    );
  });

  test('reads neighbours with one pread', async () => {
    let preads = 0;
    const fileSystem = intercept(new MemoryFileSystem(), ({ method, proceed }) => {
      if (method === 'read') preads++;
      return proceed();
    });
    const store = await openStore('/store', { fileSystem });
    const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
    for (const key of keys) store.put(key, 'value');
    preads = 0;
    expect(store.getMany([...keys].reverse()).map(String)).toEqual(keys.map(() => 'value'));
    expect(preads).toBe(1);
    await store.close();
  });

  test('throws for damage and gives nothing', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/store', { fileSystem });
    store.put('a', 'first');
    const { offset } = store.put('b', 'second');
    fileSystem.mutate('/store/00000001.dwal', (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(offset + 26) ^ 1, offset + 26);
      return bytes;
    });
    expect(() => store.getMany(['a', 'b'])).toThrow('CRC_MISMATCH');
    expect(String(store.getMany(['a'])[0])).toBe('first');
    await store.close();
  });
});
