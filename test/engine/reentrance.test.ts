import { channel } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openReader, type Probe, type Store } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { open } from './store-in-memory.ts';

const METHODS = ['began', 'got', 'appended', 'read', 'crcValidated', 'event'] as const;

/** Everything that somebody may do to a store, when it is told something. */
const CALLS: readonly [string, (store: Store) => unknown][] = [
  ['put', (store) => store.put('inner', 'inner')],
  ['delete', (store) => store.delete('key 1')],
  ['batch', (store) => store.batch([{ type: 'put', key: 'inner', value: 'inner' }])],
  ['get', (store) => store.get('key 2')],
  ['getMany', (store) => store.getMany(['key 2', 'key 3'])],
  ['getAsync', (store) => store.getAsync('key 2')],
  ['has', (store) => store.has('key 2')],
  ['refOf', (store) => store.refOf('key 2')],
  ['keys', (store) => [...store.keys()]],
  ['entries', (store) => [...store.entries()]],
  ['scan', (store) => [...store.scan()]],
  ['sync', (store) => store.sync()],
  ['rotate', (store) => store.rotate()],
  ['compact', (store) => store.compact()],
  ['stats', (store) => store.stats()],
];

/** Writes and reads with everything that makes events. */
async function use(store: Store): Promise<void> {
  for (let index = 0; index < 12; index++) {
    store.put(`key ${index}`, `value ${index}`);
    expect(String(store.get(`key ${index}`))).toBe(`value ${index}`);
  }
  store.batch([
    { type: 'put', key: 'b1', value: '1' },
    { type: 'del', key: 'key 0' },
    { type: 'put', key: 'b2', value: '2' },
  ]);
  store.delete('key 11');
  await store.sync();
  expect(store.getMany(['key 4', 'key 0', 'b2']).map(String)).toEqual([
    'value 4',
    'undefined',
    '2',
  ]);
}

const EXPECTED = [
  ...Array.from({ length: 10 }, (_, index) => [`key ${index + 1}`, `value ${index + 1}`]),
  ['b1', '1'],
  ['b2', '2'],
].map(([key, value]) => [key, value]);

const pairsOf = (store: Pick<Store, 'entries'>) =>
  [...store.entries()].map(([key, value]) => [String(key), String(value)]).toSorted();

describe.each(METHODS)('a probe that calls the store in %s', (method) => {
  test.each(CALLS)(
    '%s: what it does works, or is refused before anything is written',
    async (name, call) => {
      const fileSystem = new MemoryFileSystem();
      let store: Store | undefined;
      let inside = false;
      let calls = 0;
      const rejections: Promise<unknown>[] = [];
      const probe: Probe = {
        // Parts of operations are told only where somebody asks for their times.
        began: () => true,
        [method]: () => {
          if (store === undefined || inside) return true;
          inside = true;
          try {
            calls++;
            const result = call(store);
            if (result instanceof Promise) rejections.push(result.catch((error) => error));
          } finally {
            inside = false;
          }
          return true;
        },
      };
      const opened = await open(fileSystem, { probe, segmentBytes: 200 });
      store = opened;
      await use(opened);
      store = undefined;
      await Promise.all(rejections);
      expect(calls).toBeGreaterThan(0);
      if (name === 'stats') expect(opened.stats().probeErrors).toBe(0);
      else expect(opened.stats().probeErrors).toBeLessThanOrEqual(calls);
      expect(pairsOf(opened)).toEqual(EXPECTED.toSorted());
      await opened.close();
      const again = await open(fileSystem);
      expect(again.recoveryReport.outcome).toBe('clean');
      expect(pairsOf(again)).toEqual(EXPECTED.toSorted());
      await again.compact();
      expect(pairsOf(again)).toEqual(EXPECTED.toSorted());
      await again.close();
    },
  );
});

describe('whoever is told in the middle of a write', () => {
  test.each(['began', 'event'] as const)(
    'may take the caller’s memory away in %s: nothing wrong is written',
    async (method) => {
      const fileSystem = new MemoryFileSystem();
      let victim: Uint8Array<ArrayBuffer> | undefined;
      const probe: Probe = {
        [method]: () => {
          if (victim !== undefined) structuredClone(victim, { transfer: [victim.buffer] });
          victim = undefined;
          return false;
        },
      };
      const store = await open(fileSystem, { probe, segmentBytes: 120 });
      store.put('a', 'x'.repeat(60));
      for (const write of [
        (value: Uint8Array) => store.put('v', value),
        (value: Uint8Array) =>
          store.batch([
            { type: 'put', key: 'first', value: 'y'.repeat(50) },
            { type: 'put', key: 'v', value },
          ]),
      ]) {
        const value = new Uint8Array(50).fill(0x61);
        victim = value;
        let failure: unknown;
        try {
          write(value);
        } catch (error) {
          failure = error;
        }
        const read = store.get('v');
        if (failure === undefined) expect(String(read)).toBe('a'.repeat(50));
        else {
          expect(failure).toBeInstanceOf(TypeError);
          expect([undefined, 'a'.repeat(50)]).toContain(
            read === undefined ? undefined : String(read),
          );
        }
        expect(store.poisoned).toBeUndefined();
        store.put('after', 'after');
      }
      const before = pairsOf(store);
      await store.close();
      const again = await open(fileSystem);
      expect(again.recoveryReport.outcome).toBe('clean');
      expect(pairsOf(again)).toEqual(before);
      await again.close();
    },
  );

  test('may change the key: the keydir holds the one that was written', async () => {
    const key = Buffer.from('key');
    const probe: Probe = { appended: () => void key.write('bad') };
    const store = await open(new MemoryFileSystem(), { probe });
    store.put(key, 'value');
    expect(String(store.get('key'))).toBe('value');
    expect(store.has('bad')).toBe(false);
    await store.close();
  });
});

test('a subscriber of a diagnostics channel that writes changes nothing of what it is told of', async () => {
  const store = await open(new MemoryFileSystem());
  let depth = 0;
  const write = () => {
    if (depth++ === 0) store.put('inner', 'inner');
    depth--;
  };
  const names = ['put', 'delete', 'batch', 'get'].flatMap((name) =>
    ['start', 'end'].map((when) => `tracing:tidemark:${name}:${when}`),
  );
  for (const name of names) channel(name).subscribe(write);
  try {
    await use(store);
  } finally {
    for (const name of names) channel(name).unsubscribe(write);
  }
  expect(pairsOf(store)).toEqual([...EXPECTED, ['inner', 'inner']].toSorted());
  await store.close();
});

describe('a callback that throws', () => {
  const mine = new Error('mine');
  const throws = () => {
    throw mine;
  };

  test('ends the work with its own error, and is no fault of the disk', async () => {
    const fileSystem = new MemoryFileSystem();
    const store = await open(fileSystem);
    store.put('key', 'value');
    await store.sync();
    expect(await rejectionOf(store.verify({ onProgress: throws }))).toBe(mine);
    expect(await rejectionOf(store.exportJsonl('/lines', { onProgress: throws }))).toBe(mine);
    expect(fileSystem.list('/')).not.toContain('lines');
    expect(store.poisoned).toBeUndefined();
    expect(String(store.get('key'))).toBe('value');
    await store.close();
    const opening = open(fileSystem, { onOpenProgress: throws, open: 'full' });
    expect(await rejectionOf(opening)).toBe(mine);
    const reading = openReader('/store', { fileSystem, onOpenProgress: throws, open: 'full' });
    expect(await rejectionOf(reading)).toBe(mine);
    expect(fileSystem.openDescriptorCount).toBe(0);
    const again = await open(fileSystem);
    expect(again.recoveryReport.outcome).toBe('clean');
    await again.close();
  });
});
