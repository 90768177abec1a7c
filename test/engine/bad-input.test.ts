import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import {
  type BatchOperation,
  type BytesLike,
  type FileSystem,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
  NodeFileSystem,
  openLog,
  openReader,
  openStore,
  type Store,
  type StoreReader,
} from '../../src/engine/index.ts';
import { directoryBytes } from '../support/directory-bytes.ts';
import { failureOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Bad input is refused with a typed error, before any I/O, and with nothing changed on disk. */
let calls = 0;
/** Counts what reaches the disk. */
function counted(fileSystem: FileSystem = new NodeFileSystem()): FileSystem {
  return intercept(fileSystem, ({ proceed }) => {
    calls++;
    return proceed();
  });
}

/** Runs a call that must fail without having asked the file system anything. */
async function failureBeforeIo(call: () => unknown): Promise<unknown> {
  const before = calls;
  const failure = await failureOf(call);
  expect(calls).toBe(before);
  return failure;
}

const TOO_LONG_KEY = Buffer.alloc(MAX_KEY_BYTES + 1);
const TOO_LONG_VALUE = Buffer.alloc(MAX_PAYLOAD_BYTES + 1);
const NOT_BYTES: readonly unknown[] = [
  undefined,
  null,
  7,
  7n,
  true,
  Symbol('key'),
  [1, 2],
  {},
  () => 'key',
  new ArrayBuffer(4),
  new DataView(new ArrayBuffer(4)),
  new Uint16Array(2),
  new Float64Array(1),
  { length: 1, 0: 7 },
];

type Using = (store: Store, input: BytesLike) => unknown;
const KEY_TAKERS: readonly (readonly [string, Using])[] = [
  ['get', (store, key) => store.get(key)],
  ['getAsync', (store, key) => store.getAsync(key)],
  ['has', (store, key) => store.has(key)],
  ['refOf', (store, key) => store.refOf(key)],
  ['put', (store, key) => store.put(key, 'x')],
  ['putDurable', (store, key) => store.putDurable(key, 'x')],
  ['delete', (store, key) => store.delete(key)],
  ['a batched put', (store, key) => store.batch([{ type: 'put', key, value: 'x' }])],
  ['a batched del', (store, key) => store.batch([{ type: 'del', key }])],
];
const VALUE_TAKERS: readonly (readonly [string, Using])[] = [
  ['put', (store, value) => store.put('k', value)],
  ['putDurable', (store, value) => store.putDurable('k', value)],
  ['a batched put', (store, value) => store.batch([{ type: 'put', key: 'k', value }])],
];

const READS: readonly (readonly [string, (store: Store | StoreReader) => unknown])[] = [
  ['get', (store) => store.get('k')],
  ['getAsync', (store) => store.getAsync('k')],
  ['has', (store) => store.has('k')],
  ['refOf', (store) => store.refOf('k')],
  ['keys', (store) => [...store.keys()]],
  ['entries', (store) => [...store.entries()]],
  ['scan', (store) => [...store.scan()]],
];
const WRITES: readonly (readonly [string, (store: Store, directory: string) => unknown])[] = [
  ['put', (store) => store.put('k', 'x')],
  ['delete', (store) => store.delete('k')],
  ['batch', (store) => store.batch([{ type: 'put', key: 'k', value: 'x' }])],
  ['an empty batch', (store) => store.batch([])],
  ['sync', (store) => store.sync()],
  ['putDurable', (store) => store.putDurable('k', 'x')],
  ['rotate', (store) => store.rotate()],
  ['importJsonl', (store, directory) => store.importJsonl(join(directory, 'in.jsonl'))],
];
const EXPORTS: readonly (readonly [
  string,
  (store: Store, directory: string) => Promise<unknown>,
])[] = [
  ['compactTo', (store, directory) => store.compactTo(join(directory, 'compacted'))],
  ['exportJsonl', (store, directory) => store.exportJsonl(join(directory, 'out.jsonl'))],
];

describe('keys and values', () => {
  let directory: string;
  let store: Store;
  beforeEach(async () => {
    directory = temporaryDirectory();
    store = await openStore(directory, { fileSystem: counted() });
    store.put('k', 'v');
    await store.sync();
    return () => store.close();
  });

  test.each(KEY_TAKERS)(
    '%s refuses what is not bytes as a key, and a key that is too long',
    async (_, use) => {
      const before = directoryBytes(directory);
      for (const key of NOT_BYTES) {
        expect(await failureBeforeIo(() => use(store, key as BytesLike))).toBeInstanceOf(TypeError);
      }
      for (const key of [TOO_LONG_KEY, 'é'.repeat(MAX_KEY_BYTES / 2 + 1)]) {
        expect(await failureBeforeIo(() => use(store, key))).toBeInstanceOf(RangeError);
      }
      expect(directoryBytes(directory)).toEqual(before);
      expect([...store.entries()].map(String)).toEqual(['k,v']);
    },
  );

  test.each(VALUE_TAKERS)(
    '%s refuses what is not bytes as a value, and a value that is too long',
    async (_, use) => {
      const before = directoryBytes(directory);
      for (const value of NOT_BYTES) {
        expect(await failureBeforeIo(() => use(store, value as BytesLike))).toBeInstanceOf(
          TypeError,
        );
      }
      expect(await failureBeforeIo(() => use(store, TOO_LONG_VALUE))).toBeInstanceOf(RangeError);
      expect(directoryBytes(directory)).toEqual(before);
      expect([...store.entries()].map(String)).toEqual(['k,v']);
    },
  );

  test('the longest key and the longest value are taken', async () => {
    const fileSystem = new MemoryFileSystem();
    const large = await openStore('/store', { fileSystem });
    const key = Buffer.alloc(MAX_KEY_BYTES, 1);
    large.put(key, '');
    large.put('k', Buffer.alloc(MAX_PAYLOAD_BYTES, 2));
    expect(large.get(key)).toHaveLength(0);
    expect(large.get('k')).toHaveLength(MAX_PAYLOAD_BYTES);
    await large.close();
  });

  test.each<[string, unknown]>([
    ['a key that is too long', { type: 'put', key: TOO_LONG_KEY, value: 'x' }],
    ['a value that is too long', { type: 'put', key: 'y', value: TOO_LONG_VALUE }],
    ['a value of the wrong type', { type: 'put', key: 'y', value: 7 }],
    ['an unknown type', { type: 'merge', key: 'y', value: 'x' }],
    ['no type', { key: 'y', value: 'x' }],
    ['no operation', undefined],
  ])('a batch with %s in it writes nothing of itself', async (_, bad) => {
    const before = directoryBytes(directory);
    const good: BatchOperation[] = [
      { type: 'put', key: 'a', value: 'x' },
      { type: 'del', key: 'k' },
    ];
    for (const batch of [
      [bad, ...good],
      [...good, bad],
      [...good, bad, ...good],
    ]) {
      const failure = await failureBeforeIo(() => store.batch(batch as BatchOperation[]));
      expect([TypeError, RangeError]).toContain((failure as Error).constructor);
    }
    expect(directoryBytes(directory)).toEqual(before);
    expect([...store.entries()].map(String)).toEqual(['k,v']);
    expect(store.stats().unsyncedRecords).toBe(0);
  });

  test('a batch that is not an array is refused', async () => {
    for (const batch of [undefined, null, 7, 'batch', {}]) {
      expect(await failureBeforeIo(() => store.batch(batch as never))).toBeInstanceOf(TypeError);
    }
  });

  test('the log refuses a record type that the format does not have', async () => {
    const log = await openLog(join(directory, 'log'), { fileSystem: counted() });
    for (const type of [-1, 3, 255, 1.5, Number.NaN, '1', undefined]) {
      expect(await failureBeforeIo(() => log.appendRecord(type as never, 'k', 'v'))).toBeInstanceOf(
        RangeError,
      );
    }
    expect([...log.scan()]).toEqual([]);
    await log.close();
  });
});

describe('options', () => {
  test.each<[string, object, new () => Error]>([
    ['segmentBytes 0', { segmentBytes: 0 }, RangeError],
    ['segmentBytes -1', { segmentBytes: -1 }, RangeError],
    ['segmentBytes 4096.5', { segmentBytes: 4096.5 }, RangeError],
    ['segmentBytes NaN', { segmentBytes: Number.NaN }, RangeError],
    ['segmentBytes of 5 GiB', { segmentBytes: 5 * 2 ** 30 }, RangeError],
    ['segmentBytes as a string', { segmentBytes: '4096' }, TypeError],
    ['descriptorPoolSize -1', { descriptorPoolSize: -1 }, RangeError],
    ['descriptorPoolSize Infinity', { descriptorPoolSize: Number.POSITIVE_INFINITY }, RangeError],
    ['descriptorPoolSize as a string', { descriptorPoolSize: '16' }, TypeError],
    ['an unknown recovery', { recovery: 'hope' }, RangeError],
    // Anything but a boolean here could cut off records that nobody meant to give up.
    ['acceptAmbiguousTail as a string', { acceptAmbiguousTail: 'no' }, TypeError],
    ['onOpenProgress that is no function', { onOpenProgress: 7 }, TypeError],
    ['a probe that is no object', { probe: 7 }, TypeError],
  ])('%s is refused before anything is created', async (_, options, kind) => {
    const directory = join(temporaryDirectory(), 'store');
    for (const open of [openStore, openLog]) {
      const failure = await failureBeforeIo(() =>
        open(directory, { ...options, fileSystem: counted() } as never),
      );
      expect(failure).toBeInstanceOf(kind);
    }
  });

  test.each<[string, unknown, new () => Error]>([
    ['a deadRatio of 2', { auto: { deadRatio: 2 } }, RangeError],
    ['a deadRatio as a string', { auto: { deadRatio: '0.4' } }, TypeError],
    ['minBytes -1', { auto: { minBytes: -1 } }, RangeError],
    ['minBytes NaN', { auto: { minBytes: Number.NaN } }, RangeError],
    ['minBytes as a string', { auto: { minBytes: '4096' } }, TypeError],
    ['auto: true', { auto: true }, TypeError],
    ['auto: null', { auto: null }, TypeError],
    ['compaction: true', true, TypeError],
  ])('compaction with %s is refused before anything is created', async (_, compaction, kind) => {
    const directory = join(temporaryDirectory(), 'store');
    const failure = await failureBeforeIo(() =>
      openStore(directory, { compaction, fileSystem: counted() } as never),
    );
    expect(failure).toBeInstanceOf(kind);
  });

  test("recovery: 'salvage' is refused, and told where it is to be had", async () => {
    const options = { recovery: 'salvage', fileSystem: counted() } as never;
    for (const open of [openStore, openLog]) {
      const failure = await failureBeforeIo(() => open('damaged', options));
      expect(failure).toBeInstanceOf(RangeError);
      expect((failure as Error).message).toMatch(
        /salvage\(damaged, rescued\).*npx tidemark salvage/,
      );
    }
  });

  test.each([undefined, null, 7, {}])('a directory of %s is refused', async (directory) => {
    for (const open of [openStore, openLog, openReader]) {
      const failure = await failureBeforeIo(() =>
        open(directory as never, { fileSystem: counted() }),
      );
      expect(failure).toBeInstanceOf(TypeError);
    }
  });
});

describe('a closed store', () => {
  test('refuses every read and write, and can be closed again', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'in.jsonl'), '');
    const target = join(directory, 'store');
    const store = await openStore(target, { fileSystem: counted() });
    store.put('k', 'v');
    const started = store.entries();
    started.next();
    await store.close();
    const before = directoryBytes(directory);
    const refused = { name: 'StoreError', code: 'STORE_CLOSED', path: target };
    for (const [, read] of READS)
      expect(await failureBeforeIo(() => read(store))).toMatchObject(refused);
    for (const [, write] of [...WRITES, ...EXPORTS]) {
      expect(await failureBeforeIo(() => write(store, directory))).toMatchObject(refused);
    }
    expect(store.stats()).toMatchObject({ keys: 1, openDescriptors: 0 });
    await store.close();
    expect(directoryBytes(directory)).toEqual(before);
  });

  test('a closed reader refuses every read, and can be closed again', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    store.put('k', 'v');
    const reader = await openReader(directory, { fileSystem: counted() });
    await reader.close();
    for (const [, read] of READS) {
      expect(await failureBeforeIo(() => read(reader))).toMatchObject({ code: 'STORE_CLOSED' });
    }
    await reader.close();
    await store.close();
  });
});

describe('a poisoned store', () => {
  test('refuses every write and goes on reading', async () => {
    const directory = temporaryDirectory();
    const memory = new MemoryFileSystem();
    let broken = false;
    const fileSystem = intercept(memory, ({ method, proceed }) => {
      if (broken && method === 'write') throw systemError('EIO');
      return proceed();
    });
    memory.makeDirectory(directory);
    memory.writeFile(join(directory, 'in.jsonl'), Buffer.from(''));
    const store = await openStore(join(directory, 'store'), { fileSystem: counted(fileSystem) });
    store.put('k', 'v');
    broken = true;
    expect(() => store.put('lost', 'x')).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }));
    broken = false;
    for (const [name, write] of WRITES) {
      const failure = await failureOf(() => write(store, directory));
      expect([name, failure]).toMatchObject([
        name,
        { name: 'StoreError', code: 'WRITER_POISONED' },
      ]);
    }
    for (const [, read] of READS) await read(store);
    for (const [, write] of EXPORTS) await write(store, directory);
    expect(String(store.get('k'))).toBe('v');
    expect(store.get('lost')).toBeUndefined();
    expect(memory.readFile(join(directory, 'out.jsonl')).toString()).toContain('key_b64');
    await store.close();
  });
});
