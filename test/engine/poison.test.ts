import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Call, intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import { openStore, type Probe, type Store, type StoreError } from '../../src/engine/index.ts';
import { readMark } from '../../src/engine/lock/durable-mark.ts';
import { failureOf, rejectionOf } from '../support/rejection.ts';

/**
 * Nothing is written and nothing acknowledged after an error on the write path, until the store is
 * opened again (I9).
 */
const DIRECTORY = '/store';
const SYNCS = new Set(['dataSync', 'dataSyncAsync', 'directorySync', 'directorySyncAsync']);

class FaultyStore {
  readonly memory = new MemoryFileSystem();
  readonly calls: Call[] = [];
  /** What the probe was told. */
  readonly reported: StoreError[] = [];
  /** Calls that fail from now on. */
  fault: (call: Call) => boolean = () => false;
  store!: Store;

  static async open(): Promise<FaultyStore> {
    const faulty = new FaultyStore();
    const fileSystem = intercept(faulty.memory, (call) => {
      faulty.calls.push(call);
      if (!faulty.fault(call)) return call.proceed();
      const error = systemError('EIO');
      if (call.method.endsWith('Async')) return Promise.reject(error);
      throw error;
    });
    const probe: Probe = {
      event: (event) => void (event.kind === 'poisoned' && faulty.reported.push(event.error)),
    };
    faulty.store = await openStore(DIRECTORY, { fileSystem, probe });
    faulty.store.put('before', 'the fault');
    await faulty.store.sync();
    return faulty;
  }

  /** The error of a write, thrown at once or by its promise. */
  failureOf(write: (store: Store) => unknown): Promise<unknown> {
    return failureOf(() => write(this.store));
  }

  syncCount(): number {
    return this.calls.filter(({ method }) => SYNCS.has(method)).length;
  }
}

const isSegment = (name: string) => name.endsWith('.dwal');
const onSegment = (method: string) => (call: Call) =>
  call.method === method && isSegment(call.name);
const onMark = (method: string) => (call: Call) =>
  call.method === method && call.name === 'durable-mark';

interface Fault {
  readonly what: string;
  readonly fault: (call: Call) => boolean;
  readonly write: (store: Store) => unknown;
  readonly code: StoreError['code'];
}

const rotateTwice = (store: Store) => {
  store.rotate();
  store.put('between', 'two rotations');
  store.rotate();
};
const rotateAndSync = (store: Store) => {
  store.rotate();
  return store.sync();
};
const FAULTS: readonly Fault[] = [
  {
    what: 'the write of a put',
    fault: onSegment('write'),
    write: (store) => store.put('new', 'x'),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the write of a delete',
    fault: onSegment('write'),
    write: (store) => store.delete('before'),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the write of a large value',
    fault: onSegment('writeVector'),
    write: (store) => store.put('new', Buffer.alloc(100_000)),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the write of a batch',
    fault: onSegment('write'),
    write: (store) => store.batch([{ type: 'put', key: 'new', value: 'x' }]),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the write of a large value in a batch',
    fault: onSegment('writeVector'),
    write: (store) => store.batch([{ type: 'put', key: 'new', value: Buffer.alloc(100_000) }]),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the sync in the thread pool',
    fault: onSegment('dataSyncAsync'),
    write: (store) => store.putDurable('new', 'x'),
    code: 'SYNC_FAILED',
  },
  {
    what: 'the sync of a sealed segment in the thread pool',
    fault: ({ method, name }) => method === 'dataSyncAsync' && name === '00000001.dwal',
    write: rotateAndSync,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the sync of the directory in the thread pool',
    fault: ({ method }) => method === 'directorySyncAsync',
    write: rotateAndSync,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the write of the durable mark after a sync',
    fault: onMark('write'),
    write: (store) => store.putDurable('new', 'x'),
    code: 'SYNC_FAILED',
  },
  {
    what: 'the sync of the durable mark at a seal',
    fault: onMark('dataSyncAsync'),
    write: rotateAndSync,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the blocking sync of a sealed segment before a rotation',
    fault: onSegment('dataSync'),
    write: rotateTwice,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the blocking sync of the directory before a rotation',
    fault: ({ method }) => method === 'directorySync',
    write: rotateTwice,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the blocking sync of the durable mark before a rotation',
    fault: onMark('dataSync'),
    write: rotateTwice,
    code: 'SYNC_FAILED',
  },
  {
    what: 'the creation of the next segment',
    fault: ({ method, args }) => method === 'open' && args[1] === 'create',
    write: (store) => store.rotate(),
    code: 'WRITE_FAILED',
  },
  {
    what: 'the second descriptor of the next segment',
    fault: ({ method, args }) => method === 'open' && args[1] === 'write',
    write: (store) => store.rotate(),
    code: 'WRITE_FAILED',
  },
];

const WRITES: readonly ((store: Store) => unknown)[] = [
  (store) => store.put('later', 'x'),
  (store) => store.delete('before'),
  (store) => store.batch([]),
  (store) => store.rotate(),
  (store) => store.sync(),
  (store) => store.putDurable('later', 'x'),
];

describe.each(FAULTS)('when $what fails', ({ fault, write, code }) => {
  test('the operation is reported as indeterminate, later writes are refused, and reads go on', async () => {
    const faulty = await FaultyStore.open();
    const { store } = faulty;
    faulty.fault = fault;
    const failure = await faulty.failureOf(write);
    faulty.fault = () => false;
    expect(failure).toMatchObject({
      name: 'StoreError',
      code,
      indeterminate: true,
      cause: { code: 'EIO' },
    });
    expect(store.poisoned).toBe(failure);
    const callsBefore = faulty.calls.length;
    for (const later of WRITES) {
      expect(await faulty.failureOf(later)).toMatchObject({
        name: 'StoreError',
        code: 'WRITER_POISONED',
        cause: failure,
      });
    }
    expect(faulty.calls.length).toBe(callsBefore);
    expect(faulty.reported).toEqual([failure]);
    expect(String(store.get('before'))).toBe('the fault');
    expect(String(await store.getAsync('before'))).toBe('the fault');
    expect([...store.keys()].map(String)).toContain('before');
    expect([...store.scan()].length).toBeGreaterThan(0);
    await store.close();
  });

  test('no sync is tried again, and the close gives everything back without calling the log closed', async () => {
    const faulty = await FaultyStore.open();
    const { store, memory } = faulty;
    faulty.fault = fault;
    await faulty.failureOf(write);
    // What was under way when it failed is let to its end.
    await new Promise(setImmediate);
    const syncsBefore = faulty.syncCount();
    faulty.fault = () => false;
    await Promise.allSettled([store.sync(), store.putDurable('later', 'x'), store.sync()]);
    await store.close();
    expect(faulty.syncCount()).toBe(syncsBefore);
    expect(memory.openDescriptorCount).toBe(0);
    expect(readMark(memory, DIRECTORY).newest?.mark.clean).toBe(false);

    const reopened = await openStore(DIRECTORY, { fileSystem: memory });
    expect(reopened.recoveryReport.outcome).toBe('recovered');
    expect(String(reopened.get('before'))).toBe('the fault');
    await reopened.putDurable('after', 'reopening');
    expect(String(reopened.get('after'))).toBe('reopening');
    await reopened.close();
  });
});

describe('a failed sync', () => {
  test('is told to everybody who waited for it', async () => {
    const faulty = await FaultyStore.open();
    faulty.fault = onSegment('dataSyncAsync');
    faulty.store.put('new', 'x');
    const waiters = [
      faulty.store.sync(),
      faulty.store.sync(),
      faulty.store.putDurable('other', 'x'),
    ];
    for (const waiter of waiters) {
      expect(await rejectionOf(waiter)).toMatchObject({ code: 'SYNC_FAILED', indeterminate: true });
    }
    expect(faulty.calls.filter(onSegment('dataSyncAsync'))).toHaveLength(2);
    await faulty.store.close();
  });

  test('that nobody waited for ends writing as well', async () => {
    const faulty = await FaultyStore.open();
    faulty.fault = onSegment('dataSyncAsync');
    faulty.store.rotate();
    while (faulty.store.poisoned === undefined) await new Promise(setImmediate);
    expect(faulty.store.poisoned).toMatchObject({ code: 'SYNC_FAILED' });
    expect(await faulty.failureOf((store) => store.put('new', 'x'))).toMatchObject({
      code: 'WRITER_POISONED',
    });
    await faulty.store.close();
  });

  test('of the close itself is reported, everything is given back, and the log is not called closed', async () => {
    for (const fault of [onSegment('dataSyncAsync'), onMark('write'), onMark('dataSyncAsync')]) {
      const faulty = await FaultyStore.open();
      faulty.store.put('new', 'x');
      faulty.fault = fault;
      expect(await rejectionOf(faulty.store.close())).toMatchObject({ code: 'SYNC_FAILED' });
      expect(faulty.memory.openDescriptorCount).toBe(0);
      const reopened = await openStore(DIRECTORY, { fileSystem: faulty.memory });
      expect(reopened.size).toBe(2);
      await reopened.close();
    }
  });
});

describe('a failed write', () => {
  test('takes the sync that is running with it: nothing is acknowledged any more', async () => {
    const memory = new MemoryFileSystem();
    let letSyncEnd = () => {};
    let broken = false;
    const fileSystem = intercept(memory, ({ method, proceed }) => {
      if (broken && method === 'write') throw systemError('ENOSPC');
      if (method !== 'dataSyncAsync') return proceed();
      return new Promise<void>((resolve) => {
        letSyncEnd = resolve;
      }).then(proceed);
    });
    const store = await openStore(DIRECTORY, { fileSystem });
    store.put('key', 'written before the sync began');
    const synced = store.sync();
    await new Promise(setImmediate);
    broken = true;
    expect(() => store.put('other', 'x')).toThrow(
      expect.objectContaining({ code: 'WRITE_FAILED' }),
    );
    letSyncEnd();
    expect(await rejectionOf(synced)).toMatchObject({ code: 'WRITER_POISONED' });
    expect(store.durableEnd.offset).toBe(0);
    await store.close();
  });

  test('in the middle of a batch leaves a prefix of the batch to be read, then and after reopening', async () => {
    const key = (index: number) => `key-${String(index).padStart(4, '0')}`;
    const values = Array.from({ length: 600 }, (_, index) =>
      Buffer.alloc(index === 300 ? 40_000 : 1500, index),
    );
    /** How many of the batch are there; they must be its first ones. */
    const prefixOf = (store: Store): number => {
      const kept = store.size - 1;
      expect(
        values
          .slice(0, kept)
          .every((value, index) => value.equals(store.get(key(index)) as Uint8Array)),
      ).toBe(true);
      return kept;
    };
    // The batch takes five writes.
    for (let failingWrite = 1; failingWrite <= 5; failingWrite++) {
      const faulty = await FaultyStore.open();
      let writes = 0;
      faulty.fault = ({ method }) => method.startsWith('write') && ++writes === failingWrite;
      const failure = await faulty.failureOf((store) =>
        store.batch(values.map((value, index) => ({ type: 'put', key: key(index), value }))),
      );
      expect(failure).toMatchObject({ code: 'WRITE_FAILED', indeterminate: true });
      const seen = prefixOf(faulty.store);
      await faulty.store.close();
      const reopened = await openStore(DIRECTORY, { fileSystem: faulty.memory });
      expect(prefixOf(reopened)).toBeGreaterThanOrEqual(seen);
      expect(prefixOf(reopened)).toBeLessThan(values.length);
      await reopened.close();
    }
  });
});

describe('a short write', () => {
  test('is finished, however often it stops: the files are the same as if it had not', async () => {
    const value = fc.nat({ max: 70_000 }).map((length) => Buffer.alloc(length, length));
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(
          fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 30_000 })),
        ),
        async (values, shares) => {
          const run = async (fileSystem: MemoryFileSystem) => {
            const store = await openStore(DIRECTORY, { fileSystem });
            for (const [index, bytes] of values.entries()) store.put(`key-${index}`, bytes);
            store.batch(
              values.map((bytes, index) => ({ type: 'put', key: `batch-${index}`, value: bytes })),
            );
            const { offset } = store.end;
            await store.close();
            return fileSystem.readFile(`${DIRECTORY}/00000001.dwal`).subarray(0, offset);
          };
          const whole = await run(new MemoryFileSystem());
          const short: MemoryFileSystem = intercept(new MemoryFileSystem(), (call) => {
            const most = shares.next().value as number;
            return shortened(call, most, short) ?? call.proceed();
          });
          expect((await run(short)).equals(whole)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each(['write', 'writeVector'] as const)(
    'that makes no progress is an error (%s)',
    async (method) => {
      const memory = new MemoryFileSystem();
      let stuck = false;
      const fileSystem = intercept(memory, (call) =>
        stuck && call.method === method ? 0 : call.proceed(),
      );
      const store = await openStore(DIRECTORY, { fileSystem });
      stuck = true;
      expect(() => store.put('key', Buffer.alloc(method === 'write' ? 10 : 100_000))).toThrow(
        expect.objectContaining({ code: 'WRITE_FAILED', indeterminate: true }),
      );
      expect(() => store.put('key', 'x')).toThrow(
        expect.objectContaining({ code: 'WRITER_POISONED' }),
      );
      await store.close();
    },
  );
});

/** Makes a write call, but of its first `most` bytes only; undefined when it is no write. */
function shortened(
  { method, args }: Call,
  most: number,
  fileSystem: MemoryFileSystem,
): number | undefined {
  if (method === 'write') {
    const [descriptor, buffer, offset, length, position] = args as [
      number,
      Buffer,
      number,
      number,
      number,
    ];
    if (length <= most) return undefined;
    return fileSystem.write(descriptor, buffer, offset, most, position);
  }
  if (method === 'writeVector') {
    const [descriptor, buffers, position] = args as [number, readonly Buffer[], number];
    const bytes = Buffer.concat(buffers).subarray(0, most);
    return fileSystem.write(descriptor, bytes, 0, bytes.length, position);
  }
  return undefined;
}
