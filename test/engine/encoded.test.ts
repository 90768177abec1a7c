import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { encoded, openReader, openStore } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';

interface Session {
  readonly user: string;
  readonly seen: number;
}

async function emptyStore() {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem });
  return { fileSystem, store };
}

describe('types', () => {
  test('follow the encodings; JSON has the type that was given', async () => {
    const { store } = await emptyStore();
    const sessions = encoded<Session>(store, { key: 'utf8', value: 'json' });
    expectTypeOf(sessions.get('x')).toEqualTypeOf<Session | undefined>();
    const bytes = encoded(store, { key: 'buffer', value: 'utf8' });
    expectTypeOf(bytes.get(Buffer.from('x'))).toEqualTypeOf<string | undefined>();
    const numbers = encoded(store, {
      key: { encode: (id: number) => String(id), decode: (key) => Number(key) },
      value: 'view',
    });
    expectTypeOf(numbers.get(1)).toEqualTypeOf<Uint8Array | undefined>();
    await store.close();
  });
});

describe('a pair that was put', () => {
  test.each([
    ['utf8', 'json', fc.string({ unit: 'grapheme' }), fc.jsonValue()],
    ['buffer', 'utf8', fc.uint8Array(), fc.string({ unit: 'grapheme' })],
    ['view', 'buffer', fc.uint8Array(), fc.uint8Array()],
  ] as const)(
    '%s and %s come back by every way of reading, in store and reader',
    async (key, value, keys, values) => {
      await fc.assert(
        fc.asyncProperty(
          // -0 is 0 in JSON.
          fc.array(
            fc.tuple(
              keys,
              values.map((one) => (Object.is(one, -0) ? 0 : one)),
            ),
            { maxLength: 8 },
          ),
          async (pairs) => {
            const { fileSystem, store } = await emptyStore();
            const typed = encoded(store, { key, value } as { key: 'utf8'; value: 'json' });
            const hex = (bytes: unknown) =>
              typeof bytes === 'string' ? bytes : Buffer.from(bytes as Uint8Array).toString('hex');
            const expected = new Map<string, unknown>();
            for (const [index, pair] of pairs.entries()) {
              const [k, v] = pair as [string, unknown];
              if (index % 2 === 0) typed.put(k, v);
              else typed.batch([{ type: 'put', key: k, value: v }]);
              expected.set(hex(k), v);
            }
            const same = (v: unknown) =>
              v instanceof Uint8Array ? hex(v) : JSON.parse(JSON.stringify(v));
            await store.sync();
            const reader = await openReader('/store', { fileSystem });
            for (const view of [
              typed,
              encoded(reader, { key, value } as { key: 'utf8'; value: 'json' }),
            ]) {
              expect(view.size).toBe(expected.size);
              expect([...view.keys()].map(hex).toSorted()).toEqual([...expected.keys()].toSorted());
              for (const [k, v] of view) expect(same(v)).toEqual(same(expected.get(hex(k))));
              for (const [k] of pairs as [string, unknown][]) {
                const wanted = same(expected.get(hex(k)));
                expect(view.has(k)).toBe(true);
                expect(same(view.get(k))).toEqual(wanted);
                expect(same(await view.getAsync(k))).toEqual(wanted);
                expect(same(view.getMany([k])[0])).toEqual(wanted);
              }
            }
            await reader.close();
            await store.close();
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  test('can be deleted, and made durable', async () => {
    const { store } = await emptyStore();
    const sessions = encoded<Session>(store);
    await sessions.putDurable('a', { user: 'Ada', seen: 1 });
    expect(store.stats().unsyncedBytes).toBe(0);
    expect(sessions.get('a')).toEqual({ user: 'Ada', seen: 1 });
    expect(sessions.delete('a')).toBe(true);
    expect(sessions.get('a')).toBeUndefined();
    expect(sessions.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    await store.close();
  });
});

describe('what cannot be encoded', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;

  test.each([
    ['undefined', undefined, /^the value cannot be encoded: JSON has no undefined/],
    ['a function', () => 1, /^the value cannot be encoded: JSON has no function/],
    ['a bigint', 1n, /^the value cannot be encoded: .*BigInt/],
    ['a cycle', cyclic, /^the value cannot be encoded: .*(?:circular|cyclic)/],
  ])('%s is a TypeError, and nothing of it or of its batch is written', async (_, value, words) => {
    const { store } = await emptyStore();
    const typed = encoded(store);
    typed.put('before', 1);
    const before = store.stats();
    const { nextTxid } = store.end;
    expect(() => typed.put('key', value)).toThrow(TypeError);
    expect(() => typed.put('key', value)).toThrow(words);
    const batch = [
      { type: 'put', key: 'good', value: 1 },
      { type: 'del', key: 'before' },
      { type: 'put', key: 'key', value },
    ] as const;
    expect(() => typed.batch(batch)).toThrow(words);
    expect(await rejectionOf(typed.putDurable('key', value))).toBeInstanceOf(TypeError);
    expect(store.stats()).toEqual(before);
    expect(store.end.nextTxid).toBe(nextTxid);
    expect([...typed.keys()]).toEqual(['before']);
    await store.close();
  });

  test('a key of the wrong type is a TypeError in every call', async () => {
    const { store } = await emptyStore();
    const typed = encoded(store);
    const key = 1 as unknown as string;
    for (const call of [
      () => typed.get(key),
      () => typed.has(key),
      () => typed.getMany([key]),
      () => typed.put(key, 1),
      () => typed.delete(key),
      () => typed.batch([{ type: 'del', key }]),
    ])
      expect(call).toThrow(/^the key cannot be encoded: a string is needed, not number$/);
    expect(store.end.nextTxid).toBe(1);
    await store.close();
  });

  test('an unknown encoding is refused', async () => {
    const { store } = await emptyStore();
    expect(() => encoded(store, { value: 'yaml' as 'json' })).toThrow(
      /^value: give one of utf8, json, buffer, view, or an object/,
    );
    expect(() => encoded(store, { key: null as never })).toThrow(/^key: give one of/);
    expect(() => encoded(store, { key: 'toString' as never })).toThrow(/^key: give one of/);
    await store.close();
  });
});

test('what was written by other means names key, segment and offset, and the bytes stay readable', async () => {
  const { store } = await emptyStore();
  store.put('first', '1');
  const { segmentId, offset } = store.put('broken', '{');
  const typed = encoded(store);
  for (const read of [
    () => typed.get('broken'),
    () => typed.getMany(['broken']),
    () => [...typed.entries()],
  ]) {
    expect(read).toThrow(
      expect.objectContaining({
        code: 'NOT_DECODABLE',
        segmentId,
        offset,
        message: expect.stringMatching(/the value of key .* at segment 1, offset \d+ is not what/),
      }),
    );
  }
  expect(typed.get('first')).toBe(1);
  expect(String(store.get('broken'))).toBe('{');
  store.put(Buffer.from([0xff]), '1');
  expect(() => [...typed.keys()]).toThrow(/the key of key hex:ff/);
  await store.close();
});
