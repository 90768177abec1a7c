import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { CAN_SHARE_BUFFERS } from '../../src/engine/host/handed-out.ts';
import { openLog, openReader, type StoreError } from '../../src/engine/index.ts';
import { open } from './store-in-memory.ts';

const valueAt = (index: number) => `value ${index} `.repeat(12);

/** Ways to take the memory of a value away from whoever shares it. */
const TRANSFERS: readonly [string, (bytes: Uint8Array) => unknown][] = [
  [
    'structuredClone',
    ({ buffer }) => structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }),
  ],
  [
    'postMessage',
    ({ buffer }) => {
      const { port1, port2 } = new MessageChannel();
      try {
        port1.postMessage(buffer, [buffer as ArrayBuffer]);
      } finally {
        port1.close();
        port2.close();
      }
    },
  ],
  ['transfer', ({ buffer }) => (buffer as ArrayBuffer & { transfer?: () => void }).transfer?.()],
  ['writing over all of the buffer', (bytes) => bytes.fill(0xee)],
];

describe('what was handed out', () => {
  test.each(TRANSFERS)(
    'can be taken away by %s: no other value is, and reads go on',
    async (_, take) => {
      const fileSystem = new MemoryFileSystem();
      const store = await open(fileSystem);
      const log = await openLog('/log', { fileSystem });
      const refs = Array.from({ length: 40 }, (_, index) => {
        store.put(`key ${index}`, valueAt(index));
        return log.append(valueAt(index));
      });
      store.put('large', 'x'.repeat(100_000));
      const reader = await openReader('/store', { fileSystem });
      const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
      const handed: [string, () => Iterable<Uint8Array | undefined>][] = [
        ['get', () => keys.map((key) => store.get(key))],
        ['getMany', () => store.getMany(keys)],
        ['get of a reader', () => keys.map((key) => reader.get(key))],
        ['scan', () => [...store.scan()].slice(0, 40).map(({ payload }) => payload)],
        ['read', () => refs.map((ref) => log.read(ref).payload)],
      ];
      for (const [name, read] of handed) {
        const values = [...read()];
        const [taken, ...others] = values;
        try {
          take(taken as Uint8Array);
        } catch {
          // Refused: that is as good.
        }
        expect(others.map(String), name).toEqual(
          keys.slice(1).map((_, index) => valueAt(index + 1)),
        );
        expect([...read()].map(String), name).toEqual(keys.map((_, index) => valueAt(index)));
      }
      const listed = [...store.entries()];
      try {
        take(listed[0]?.[0] as Uint8Array);
      } catch {
        // As above.
      }
      if (CAN_SHARE_BUFFERS)
        expect(listed.slice(1).every(([key, value]) => key.length > 0 && value.length > 0)).toBe(
          true,
        );
      const record = log.read(refs[5] as (typeof refs)[number]);
      try {
        take(record.key);
      } catch {
        // As above.
      }
      expect(String(record.payload)).toBe(valueAt(5));
      await reader.close();
      await log.close();
      await store.close();
    },
  );

  test('holds at most 16 KiB that is not its own, also when it came with a thousand others', async () => {
    const store = await open(new MemoryFileSystem());
    const keys = Array.from({ length: 1000 }, (_, index) => `key ${index}`);
    for (const [index, key] of keys.entries()) store.put(key, valueAt(index));
    const held = [store.get('key 5'), ...store.getMany(keys)];
    for (const value of held)
      expect(value?.buffer.byteLength).toBeLessThanOrEqual((value?.length as number) + 16 * 1024);
    await store.close();
  });
});

describe('memory that another thread changes', () => {
  test.each([100, 40_000])(
    'a value of %d shared bytes is written as it was at one moment',
    async (size) => {
      const fileSystem = new MemoryFileSystem();
      const store = await open(fileSystem);
      const value = new Uint8Array(new SharedArrayBuffer(size)).fill(1);
      const key = new Uint8Array(new SharedArrayBuffer(16)).fill(1);
      // A file system that changes it during the write stands for the other thread.
      const write = fileSystem.write.bind(fileSystem);
      const vector = fileSystem.writeVector.bind(fileSystem);
      const change = () => {
        value.fill(2);
        key.fill(2);
      };
      fileSystem.write = (...args) => {
        change();
        return write(...args);
      };
      fileSystem.writeVector = (...args) => {
        change();
        return vector(...args);
      };
      store.put(key, value);
      store.batch([{ type: 'put', key: 'b', value }]);
      expect(String(store.get(new Uint8Array(16).fill(1)))).toBe(String(Buffer.alloc(size, 1)));
      expect(store.has(key)).toBe(false);
      expect(store.get('b')?.length).toBe(size);
      await store.close();
      const again = await open(fileSystem);
      expect(again.recoveryReport.outcome).toBe('clean');
      expect(again.size).toBe(2);
      await again.close();
    },
  );
});

describe('a ref that leads nowhere', () => {
  test('is refused before it is read, and reads after it are right', async () => {
    const log = await openLog('/log', { fileSystem: new MemoryFileSystem() });
    const ref = log.append('short');
    const kept = log.read(ref).payload;
    const wrong = [
      { ...ref, offset: Number.NaN },
      { ...ref, offset: -1 },
      { ...ref, byteLength: -40 },
      { ...ref, byteLength: Number.NaN },
      { ...ref, byteLength: 2 ** 40 },
      { ...ref, segmentId: 0 },
      { ...ref, segmentId: '1' as never },
      { segmentId: 1, offset: 0 } as never,
      null as never,
      undefined as never,
    ];
    for (const one of wrong) {
      expect(() => log.read(one)).toThrow(/of the ref|a ref must be/);
      expect(String(log.read(ref).payload)).toBe('short');
    }
    const missing = { ...ref, segmentId: 7 };
    expect(() => log.read(missing)).toThrow(
      expect.objectContaining({ name: 'StoreError' }) as unknown as StoreError,
    );
    expect(String(log.read(ref).payload)).toBe('short');
    expect(String(kept)).toBe('short');
    await log.close();
  });
});
