import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { LIMITS } from '../../src/engine/host/limits.ts';
import { StoreError, type StoreOptions } from '../../src/engine/index.ts';
import { open } from './store-in-memory.ts';

/** Shards of the keydir that a few keys fill. */
const SMALL = { [LIMITS]: { shardWords: 128 } } as StoreOptions;

const keyOf = (number: number) => `${number}`.padStart(4, '0').repeat(12);

test('a key for which the keydir has no room is refused before it is written, and no other is lost', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          kind: fc.constantFrom('put', 'put', 'put', 'delete', 'batch'),
          from: fc.integer({ min: 0, max: 2500 }),
          count: fc.integer({ min: 1, max: 300 }),
        }),
        { minLength: 6, maxLength: 14 },
      ),
      async (steps) => {
        const fileSystem = new MemoryFileSystem();
        const store = await open(fileSystem, SMALL);
        const model = new Map<string, string>();
        const attempt = (write: () => void, done: () => void) => {
          const { nextTxid } = store.end;
          try {
            write();
          } catch (error) {
            expect(error).toBeInstanceOf(StoreError);
            expect((error as StoreError).code).toBe('OUT_OF_MEMORY');
            expect(store.end.nextTxid).toBe(nextTxid);
            refused++;
            return;
          }
          done();
        };
        for (const [step, { kind, from, count }] of steps.entries()) {
          const keys = Array.from({ length: count }, (_, index) => keyOf(from + index));
          if (kind === 'batch') {
            const batch = keys.map((key) => ({ type: 'put' as const, key, value: `${step}` }));
            attempt(
              () => store.batch(batch),
              () => keys.forEach((key) => void model.set(key, `${step}`)),
            );
            continue;
          }
          for (const key of keys) {
            if (kind === 'put')
              attempt(
                () => store.put(key, `${step}`),
                () => model.set(key, `${step}`),
              );
            else
              attempt(
                () => store.delete(key),
                () => model.delete(key),
              );
          }
        }
        const check = (one: typeof store) => {
          expect(one.size).toBe(model.size);
          for (const [key, value] of model) expect(String(one.get(key))).toBe(value);
        };
        check(store);
        await store.close();
        const again = await open(fileSystem, SMALL);
        check(again);
        await again.close();
      },
    ),
    { numRuns: 5 },
  );
  expect(refused).toBeGreaterThan(0);
});

test('what was deleted makes room, also when the arena may not grow any more', async () => {
  const store = await open(new MemoryFileSystem(), SMALL);
  let count = 0;
  expect(() => {
    for (; count < 100_000; count++) store.put(keyOf(count), 'value');
  }).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
  const full = count;
  // Fewer than half: no shard compacts by itself.
  for (let number = 0; number < full; number += 3) store.delete(keyOf(number));
  let more = 0;
  for (let number = 0; number < full / 4; number++) {
    try {
      store.put(keyOf(100_000 + number), 'value');
      more++;
    } catch {
      // The fullest shards are full again; which ones, the hash decides.
    }
  }
  expect(more).toBeGreaterThan(full / 10);
  for (let number = 0; number < full; number++) {
    expect(store.has(keyOf(number))).toBe(number % 3 !== 0);
  }
  await store.close();
});
