import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Call, intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  openReader,
  openStore,
  type Store,
  type StoreReader,
  salvage,
} from '../../src/engine/index.ts';
import { DescriptorPool, type PooledDescriptor } from '../../src/engine/segment/descriptor-pool.ts';
import { SegmentFiles } from '../../src/engine/segment/segment-files.ts';

/**
 * Open descriptors equal what `stats()` says, and none is left after a close or a failed open
 * (I10).
 */
const DIRECTORY = '/store';
const POOL_SIZES = [0, 1, 16];

interface Attempt {
  readonly memory: MemoryFileSystem;
  readonly fileSystem: MemoryFileSystem;
  /** Calls fail only between these two. */
  readonly arm: () => void;
  readonly disarm: () => void;
  /** The call that failed, for messages; undefined when there was none left to fail. */
  readonly failed: () => string | undefined;
}

const anyButClose = ({ method }: Call) => method !== 'close';
const close = ({ method }: Call) => method === 'close';

/**
 * Makes an attempt with the first call failing, then one with the second, and so on, until none is
 * left to fail.
 */
async function failEachCall(
  which: (call: Call) => boolean,
  prepare: () => Promise<MemoryFileSystem>,
  attempt: (attempt: Attempt) => Promise<void>,
): Promise<void> {
  for (let n = 1; ; n++) {
    const memory = await prepare();
    let armed = false;
    let count = 0;
    let failed: string | undefined;
    const fileSystem = intercept(memory, (call) => {
      if (!armed || !which(call) || ++count !== n) return call.proceed();
      failed = `${call.method} ${call.name}`;
      // A close that reports an error has closed all the same: closing again would hit somebody
      // else's descriptor.
      if (call.method === 'close') call.proceed();
      const error = systemError('EIO');
      if (/Async$|holdLease/.test(call.method)) return Promise.reject(error);
      throw error;
    });
    const setArmed = (value: boolean) => () => {
      armed = value;
    };
    await attempt({
      memory,
      fileSystem,
      arm: setArmed(true),
      disarm: setArmed(false),
      failed: () => failed,
    });
    if (failed === undefined) {
      expect(n).toBeGreaterThan(1);
      return;
    }
  }
}

async function filled(
  finish: (store: Store, memory: MemoryFileSystem) => unknown,
): Promise<MemoryFileSystem> {
  const memory = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem: memory });
  for (let index = 0; index < 5; index++) store.put(`key-${index}`, `value-${index}`);
  store.rotate();
  store.put('key-5', 'value-5');
  await store.sync();
  await finish(store, memory);
  return memory;
}

/** Makes the files that a process leaves when it dies in the middle of an append. */
async function torn(): Promise<MemoryFileSystem> {
  let left = new MemoryFileSystem();
  await filled((store, memory) => {
    store.put('key-6', 'torn');
    left = memory.afterProcessDeath();
  });
  left.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.subarray(0, bytes.length - 3) as Buffer);
  return left;
}

const STORES = [
  ['of a new store', async () => new MemoryFileSystem()],
  ['of a closed store', () => filled((store) => store.close())],
  ['of a store with a torn tail', torn],
] as const;

describe('open descriptors', () => {
  type Step =
    | 'put'
    | 'large'
    | 'batch'
    | 'rotate'
    | 'get'
    | 'getAsync'
    | 'sync'
    | 'scan'
    | 'compactTo'
    | 'turn';
  const step = fc.constantFrom<Step>(
    ...([
      'put',
      'large',
      'batch',
      'rotate',
      'get',
      'getAsync',
      'sync',
      'scan',
      'compactTo',
      'turn',
    ] as const),
  );

  test('are what stats says after each operation, while segments are being sealed too, and none after the close', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(...POOL_SIZES),
        async (steps, descriptorPoolSize) => {
          const memory = new MemoryFileSystem();
          const store = await openStore(DIRECTORY, {
            fileSystem: memory,
            descriptorPoolSize,
            segmentBytes: 200,
          });
          const background: Promise<unknown>[] = [];
          const take: Record<Step, (index: number) => unknown> = {
            put: (index) => store.put(`key-${index}`, 'x'.repeat(60)),
            large: (index) => store.put(`key-${index}`, Buffer.alloc(40_000)),
            batch: () =>
              store.batch(Array(5).fill({ type: 'put', key: 'batch', value: 'y'.repeat(80) })),
            rotate: () => store.rotate(),
            get: (index) => store.get(`key-${index >> 1}`),
            getAsync: (index) => store.getAsync(`key-${index >> 1}`),
            sync: () => void background.push(store.sync()),
            scan: () => [...store.scan()],
            compactTo: (index) => store.compactTo(`/compacted-${index}`),
            turn: () => new Promise(setImmediate),
          };
          for (const [index, name] of steps.entries()) {
            await take[name](index);
            expect(memory.openDescriptorCount, name).toBe(store.stats().openDescriptors);
          }
          await Promise.all(background);
          await store.close();
          expect(store.stats().openDescriptors).toBe(0);
          expect(memory.openDescriptorCount).toBe(0);
        },
      ),
    );
  });

  test('are what stats says while a scan is suspended, and a scan that is left closes its file', async () => {
    const memory = await filled((store) => store.close());
    const store = await openStore(DIRECTORY, { fileSystem: memory });
    const before = memory.openDescriptorCount;
    const scan = store.scan();
    scan.next();
    const during = [memory.openDescriptorCount, store.stats().openDescriptors];
    scan.return(undefined);
    expect(memory.openDescriptorCount).toBe(before);
    expect(during[0]).toBe(during[1]);
    await store.close();
  });

  test('are what stats says while a read is in flight', async () => {
    for (const descriptorPoolSize of POOL_SIZES) {
      const memory = await filled((store) => store.close());
      const store = await openStore(DIRECTORY, { fileSystem: memory, descriptorPoolSize });
      const reads = [store.getAsync('key-0'), store.getAsync('key-5'), store.getAsync('key-1')];
      const during = [memory.openDescriptorCount, store.stats().openDescriptors];
      await Promise.all(reads);
      expect(memory.openDescriptorCount).toBe(store.stats().openDescriptors);
      expect(during[0], `a pool of ${descriptorPoolSize}`).toBe(during[1]);
      await store.close();
    }
  });
});

describe.each(STORES)('an opening %s that fails', (_, prepare) => {
  const openings = (
    which: (call: Call) => boolean,
    check: (attempt: Attempt, error: Error | undefined) => Promise<void>,
  ) =>
    failEachCall(which, prepare, async (attempt) => {
      attempt.arm();
      const opened = await openStore(DIRECTORY, { fileSystem: attempt.fileSystem }).catch(
        (error: Error) => error,
      );
      attempt.disarm();
      if (!(opened instanceof Error)) await opened.close();
      await check(attempt, opened instanceof Error ? opened : undefined);
    });

  test('leaves no descriptor open, and nobody locked out, whichever call failed', () =>
    openings(anyButClose, async ({ memory, failed }) => {
      expect(memory.openDescriptorCount, failed()).toBe(0);
      const store = await openStore(DIRECTORY, { fileSystem: memory });
      if (memory.list(DIRECTORY).includes('00000002.dwal')) expect(store.size, failed()).toBe(6);
      await store.close();
    }));

  test('leaves no descriptor open when it was a close that failed', () =>
    openings(close, async ({ memory, failed }) =>
      expect(memory.openDescriptorCount, failed()).toBe(0),
    ));

  test('says so with a StoreError, whichever call failed', async () => {
    const untyped: (string | undefined)[] = [];
    await openings(anyButClose, async ({ failed }, error) => {
      if (error !== undefined && error.name !== 'StoreError') untyped.push(failed());
    });
    expect(untyped).toEqual([]);
  });

  test('does so for a reader as well', () =>
    failEachCall(
      () => true,
      prepare,
      async ({ memory, fileSystem, arm, failed }) => {
        arm();
        await openReader(DIRECTORY, { fileSystem })
          .then((reader) => reader.close())
          .catch((error: Error) => expect(error.name, failed()).toBe('StoreError'));
        expect(memory.openDescriptorCount, failed()).toBe(0);
      },
    ));
});

describe.each([
  ['a call that fails', anyButClose],
  ['a close that fails', close],
] as const)('%s', (_, which) => {
  const prepare = async () => new MemoryFileSystem();

  test('while the store is closed leaves no descriptor open, and nobody locked out', () =>
    failEachCall(which, prepare, async ({ memory, fileSystem, arm, failed }) => {
      const store = await openStore(DIRECTORY, { fileSystem });
      store.put('key', 'value');
      store.get('key');
      arm();
      await store.close().catch(() => {});
      expect(memory.openDescriptorCount, failed()).toBe(0);
      const next = await openStore(DIRECTORY, { fileSystem: memory });
      expect(String(next.get('key'))).toBe('value');
      await next.close();
    }));

  test('while the log rotates leaves what stats says, and nothing after the close', () =>
    failEachCall(which, prepare, async ({ memory, fileSystem, arm, disarm, failed }) => {
      const store = await openStore(DIRECTORY, { fileSystem });
      store.put('key', 'value');
      arm();
      try {
        store.rotate();
        store.rotate();
      } catch {
        // Poisoned.
      }
      disarm();
      expect(memory.openDescriptorCount, failed()).toBe(store.stats().openDescriptors);
      await store.close();
      expect(memory.openDescriptorCount, failed()).toBe(0);
    }));

  test('while a store is compacted leaves what stats says, and the target whole or not there', () =>
    failEachCall(which, prepare, async ({ memory, fileSystem, arm, disarm, failed }) => {
      const store = await openStore(DIRECTORY, { fileSystem });
      store.put('key', 'value');
      await store.sync();
      arm();
      const error = await store.compactTo('/out').catch((reason: Error) => reason);
      disarm();
      if (error !== undefined) expect(error.name, failed()).toBe('StoreError');
      expect(memory.openDescriptorCount, failed()).toBe(store.stats().openDescriptors);
      if (memory.list('/').includes('out')) {
        const reader = await openReader('/out', { fileSystem: memory });
        expect(reader.size, failed()).toBe(1);
        await reader.close();
      }
      expect(
        memory.list('/').filter((name) => name.includes('unfinished')),
        failed(),
      ).toEqual([]);
      await store.close();
    }));
});

describe('whichever call fails', () => {
  const prepare = () => filled((store) => store.close());
  const take = async (records: AsyncIterable<unknown>, count: number) => {
    let taken = 0;
    for await (const _ of records) if (++taken === count) break;
  };
  const WORK: Readonly<Record<string, (reader: StoreReader) => Promise<unknown>>> = {
    'a follower': (reader) => take(reader.follow({ fromTxid: 1 }), 6),
    'a scan': async (reader) => [...reader.scan()],
    'a refresh': (reader) => reader.refresh(),
    'an export': (reader) => reader.exportJsonl('/exported'),
  };

  test.each(Object.entries(WORK))(
    '%s says so with a StoreError, and holds nothing open',
    async (_, work) => {
      const untyped: unknown[] = [];
      await failEachCall(
        anyButClose,
        prepare,
        async ({ memory, fileSystem, arm, disarm, failed }) => {
          const reader = await openReader(DIRECTORY, { fileSystem });
          arm();
          const error = await work(reader).then(
            () => undefined,
            (reason: Error) => reason,
          );
          disarm();
          if (error !== undefined && error.name !== 'StoreError')
            untyped.push([failed(), error.message]);
          await reader.close();
          expect(memory.openDescriptorCount, failed()).toBe(0);
        },
      );
      expect(untyped).toEqual([]);
    },
  );

  test('a salvage says so with a StoreError, and its target is there whole or not at all', async () => {
    const untyped: unknown[] = [];
    await failEachCall(
      anyButClose,
      prepare,
      async ({ memory, fileSystem, arm, disarm, failed }) => {
        arm();
        const error = await salvage(DIRECTORY, '/rescued', { fileSystem }).then(
          () => undefined,
          (reason: Error) => reason,
        );
        disarm();
        if (error !== undefined && error.name !== 'StoreError')
          untyped.push([failed(), error.message]);
        expect(memory.openDescriptorCount, failed()).toBe(0);
        expect(
          memory.list('/').filter((name) => name.includes('unfinished')),
          failed(),
        ).toEqual([]);
        if (!memory.list('/').includes('rescued')) return;
        const store = await openStore('/rescued', { fileSystem: memory });
        expect(store.size, failed()).toBe(6);
        await store.close();
      },
    );
    expect(untyped).toEqual([]);
  });
});

describe('the descriptor pool', () => {
  test.each([1, 2, 16])(
    'of %d keeps the segments used last, and closes one in use when its user is done',
    (capacity) => {
      const action = fc.record({ acquire: fc.boolean(), pick: fc.nat(4) });
      fc.assert(
        fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
          const memory = new MemoryFileSystem();
          memory.makeDirectory(DIRECTORY);
          for (let segmentId = 1; segmentId <= 5; segmentId++) {
            memory.writeFile(segmentPath(DIRECTORY, segmentId), Buffer.from([segmentId]));
          }
          const opened: number[] = [];
          const fileSystem = intercept(memory, ({ method, name, proceed }) => {
            if (method === 'open') opened.push(Number.parseInt(name, 10));
            return proceed();
          });
          const pool = new DescriptorPool(
            fileSystem,
            DIRECTORY,
            new SegmentFiles(),
            capacity,
            undefined,
          );
          const inUse: PooledDescriptor[] = [];
          let recent: number[] = [];
          for (const { acquire, pick } of actions) {
            if (acquire) {
              const segmentId = pick + 1;
              const misses = opened.length;
              inUse.push(pool.acquire(segmentId));
              expect(opened.length - misses).toBe(recent.includes(segmentId) ? 0 : 1);
              recent = [segmentId, ...recent.filter((id) => id !== segmentId)].slice(0, capacity);
            } else if (inUse.length > 0) {
              pool.release(inUse.splice(pick % inUse.length, 1)[0] as PooledDescriptor);
            }
            // Whatever is in use can be read, evicted or not, and is the segment that it was taken
            // for.
            for (const { file, descriptor } of inUse) {
              const byte = new Uint8Array(1);
              memory.read(descriptor, byte, 0, 1, 0);
              expect(byte[0]).toBe(file);
            }
            const evictedInUse = new Set(
              inUse.filter(({ retired }) => retired).map(({ descriptor }) => descriptor),
            );
            expect(memory.openDescriptorCount).toBe(recent.length + evictedInUse.size);
          }
          for (const entry of inUse) pool.release(entry);
          void pool.close();
          expect(memory.openDescriptorCount).toBe(0);
        }),
      );
    },
  );

  test('of none opens one for every read, and keeps none', async () => {
    const memory = await filled((store) => store.close());
    let opens = 0;
    const fileSystem = intercept(memory, ({ method, name, proceed }) => {
      if (method === 'open' && name === '00000001.dwal') opens++;
      return proceed();
    });
    const store = await openStore(DIRECTORY, { fileSystem, descriptorPoolSize: 0 });
    opens = 0;
    for (let read = 1; read <= 3; read++) {
      store.get('key-0');
      await store.getAsync('key-1');
      expect(opens).toBe(2 * read);
    }
    await store.close();
  });
});

describe('a close while a read is in flight', () => {
  /** A file system whose reads off the event loop end when they are told to. */
  function withHeldReads(memory: MemoryFileSystem) {
    const held: (() => void)[] = [];
    const fileSystem = intercept(memory, ({ method, proceed }) =>
      method === 'readAsync'
        ? new Promise<void>((resolve) => held.push(resolve)).then(proceed)
        : proceed(),
    );
    return { fileSystem, held };
  }

  test.each(POOL_SIZES)(
    'waits for it, and the read gets its value (a pool of %d)',
    async (descriptorPoolSize) => {
      const memory = await filled((store) => store.close());
      const { fileSystem, held } = withHeldReads(memory);
      const store = await openStore(DIRECTORY, { fileSystem, descriptorPoolSize });
      const reads = [store.getAsync('key-0'), store.getAsync('key-5'), store.getAsync('key-1')];
      let closed = false;
      const closing = store.close().then(() => {
        closed = true;
      });
      while (held.length > 0) {
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        expect(closed).toBe(false);
        held.shift()?.();
      }
      expect((await Promise.all(reads)).map(String)).toEqual(['value-0', 'value-5', 'value-1']);
      await closing;
      expect(memory.openDescriptorCount).toBe(0);
      await expect(store.getAsync('key-0')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    },
  );

  test('of a reader ends for everybody who asked for it', async () => {
    const memory = await filled((store) => store.close());
    const { fileSystem, held } = withHeldReads(memory);
    const reader = await openReader(DIRECTORY, { fileSystem });
    const read = reader.getAsync('key-0');
    let closed = 0;
    for (let time = 0; time < 2; time++) void reader.close().then(() => closed++);
    held.shift()?.();
    expect(String(await read)).toBe('value-0');
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(closed).toBe(2);
    expect(memory.openDescriptorCount).toBe(0);
  });
});
