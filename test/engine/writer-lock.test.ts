import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import { LEASE_STALE_MS } from '../../src/engine/host/file-system.ts';
import {
  type FileSystem,
  type Lease,
  NodeFileSystem,
  openStore,
  type Store,
} from '../../src/engine/index.ts';
import { readMark } from '../../src/engine/lock/durable-mark.ts';
import { rejectionOf } from '../support/rejection.ts';
import { RemoteError, StoreProcess } from '../support/store-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LEASE = '.lock.lock';

/** Makes the lease look as if nobody had refreshed it for longer than the stale interval. */
function ageLease(directory: string): void {
  const then = new Date(Date.now() - 2 * LEASE_STALE_MS);
  utimesSync(join(directory, LEASE), then, then);
}

/** A file system on which kernel locks do not exist, as some network ones are. */
function withoutKernelLocks(onLease: (lease: Lease) => Lease = (lease) => lease): FileSystem {
  return intercept(new NodeFileSystem(), ({ method, proceed }) => {
    if (method === 'tryLock') return 'unsupported';
    if (method === 'holdLease') return (proceed() as Promise<Lease>).then(onLease);
    return proceed();
  });
}

async function holderIn(directory: string, options = {}): Promise<StoreProcess> {
  const holder = await StoreProcess.start();
  await holder.open(directory, options);
  return holder;
}

function everyFile(directory: string): Record<string, string> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ name }) => [name, readFileSync(join(directory, name), 'latin1')]),
  );
}

async function put(store: Store, key: string): Promise<void> {
  await store.putDurable(key, key);
  await store.close();
}

/** Lets the event loop turn until something has happened. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise(setImmediate);
}

describe('between processes', () => {
  test('of two that open at once exactly one gets the store, and the other is told whom to ask', async () => {
    const directory = temporaryDirectory();
    const racers = await Promise.all([StoreProcess.start(), StoreProcess.start()]);
    for (let round = 0; round < 60; round++) {
      if (round % 2 === 1) racers.reverse();
      const results = await Promise.allSettled(racers.map((racer) => racer.open(directory)));
      const winners = racers.filter((_, index) => results[index]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      const [winner] = winners as [StoreProcess];
      const refusal = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
      expect(refusal.reason).toMatchObject({ name: 'StoreError', code: 'STORE_LOCKED' });
      // The winner may not have had the time to say who it is; nobody else may be named for it.
      expect([winner.pid, undefined]).toContain((refusal.reason as RemoteError).holderPid);
      const loser = racers.find((racer) => racer !== winner) as StoreProcess;
      await expect(loser.open(directory)).rejects.toMatchObject({
        code: 'STORE_LOCKED',
        holderPid: winner.pid,
      });
      await winner.call('close');
    }
  });

  test('a holder that has the lock and has not said so yet is not taken for the one before it', async () => {
    const directory = temporaryDirectory();
    const before = await holderIn(directory);
    await before.call('close');
    const holder = await StoreProcess.start();
    const opening = holder.open(directory, { stopBefore: 'statDescriptor' });
    await holder.stopped();
    const error = await rejectionOf(openStore(directory));
    expect(error).toMatchObject({ code: 'STORE_LOCKED' });
    expect([holder.pid, undefined]).toContain((error as { holderPid?: number }).holderPid);
    holder.signal('SIGCONT');
    await opening;
  });

  test('a killed holder does not block, however fresh its lease is', async () => {
    const directory = temporaryDirectory();
    for (let round = 0; round < 3; round++) {
      const holder = await holderIn(directory);
      await holder.call('put', `key-${round}`, 'kept');
      await holder.kill();
      const store = await openStore(directory);
      expect(store.size).toBe(round + 1);
      await store.close();
    }
  });

  test('a stopped holder is not robbed, however old its lease is, and goes on when it is continued', async () => {
    const directory = temporaryDirectory();
    const holder = await holderIn(directory);
    holder.signal('SIGSTOP');
    await holder.stopped();
    ageLease(directory);
    const refused = { code: 'STORE_LOCKED', holderPid: holder.pid };
    expect(await rejectionOf(openStore(directory))).toMatchObject(refused);
    holder.signal('SIGCONT');
    await holder.call('put', 'after', 'the stop');
    await holder.call('sync');
    expect(await rejectionOf(openStore(directory))).toMatchObject(refused);
    await holder.call('close');
    const store = await openStore(directory);
    expect(String(store.get('after'))).toBe('the stop');
    expect(store.recoveryReport.outcome).toBe('clean');
    await store.close();
  });

  test('an orderly close lets the next one in, in this process and in others', async () => {
    const directory = temporaryDirectory();
    await put(await openStore(directory), 'here');
    const other = await holderIn(directory);
    await other.call('put', 'there', 'x');
    await other.call('close');
    const store = await openStore(directory);
    expect([store.size, store.recoveryReport.outcome]).toEqual([2, 'clean']);
    await store.close();
  });
});

describe('in one process', () => {
  test('a second opening is refused and names this process; the first goes on', async () => {
    const directory = temporaryDirectory();
    for (const fileSystem of [new NodeFileSystem(), withoutKernelLocks()]) {
      const store = await openStore(directory, { fileSystem });
      const error = await rejectionOf(openStore(directory, { fileSystem }));
      expect(error).toMatchObject({ code: 'STORE_LOCKED', holderPid: process.pid });
      expect(String(error)).toContain('this one');
      await put(store, 'first');
    }
  });

  test('a copied directory opens at once, its locks copied with it, while the original is held', async () => {
    const directory = temporaryDirectory();
    const original = join(directory, 'original');
    const store = await openStore(original);
    await store.putDurable('key', 'value');
    for (const [copy, fileSystem] of [
      ['copy', new NodeFileSystem()],
      ['copy-without-kernel-locks', withoutKernelLocks()],
    ] as const) {
      const target = join(directory, copy);
      cpSync(original, target, { recursive: true });
      const copied = await openStore(target, { fileSystem });
      expect(String(copied.get('key'))).toBe('value');
      await put(copied, 'new');
    }
    await store.close();
  });

  test('what datawal writes into .lock means that a foreign writer came, and does not keep anybody out', async () => {
    const directory = temporaryDirectory();
    await put(await openStore(directory), 'key');
    writeFileSync(join(directory, '.lock'), '1234\n');
    const store = await openStore(directory);
    expect(store.recoveryReport.durableMark).toMatchObject({ witnessed: false });
    expect(store.recoveryReport.outcome).toBe('recovered');
    expect(store.size).toBe(1);
    await put(store, 'next');
    const again = await openStore(directory);
    expect(again.recoveryReport).toMatchObject({
      outcome: 'clean',
      durableMark: { witnessed: true },
    });
    expect(again.size).toBe(2);
    await again.close();
  });
});

describe('killed while it opens the store', () => {
  /**
   * The number of changes up to which openings differ by what they found of the last holder. Then
   * each has its lock, and writes the mark.
   */
  const LOCK_CHANGES = 6;

  /** Kills an opening before each of its first changes, and opens the store again after each. */
  async function killBeforeEachChange(
    kernelLocks: boolean,
    most: number,
    prepare: (directory: string) => Promise<void>,
  ) {
    const fileSystem = kernelLocks ? new NodeFileSystem() : withoutKernelLocks();
    const survives = async (dieAtChange: number): Promise<boolean> => {
      const directory = join(temporaryDirectory(), 'store');
      await prepare(directory);
      const opener = await StoreProcess.start();
      const died = await opener.open(directory, { kernelLocks, dieAtChange }).then(
        () => false,
        (error: unknown) => {
          if (error instanceof RemoteError) throw error;
          return true;
        },
      );
      await opener.kill();
      const store = await openStore(directory, { fileSystem }).catch((error: unknown) => {
        // Without kernel locks, a lease whose holder died before it wrote its name counts until it
        // is stale.
        if (!kernelLocks && (error as { code?: string }).code === 'STORE_LOCKED') {
          ageLease(directory);
          return openStore(directory, { fileSystem });
        }
        throw new Error(`killed before change ${dieAtChange}, the next opening failed`, {
          cause: error,
        });
      });
      await put(store, 'after');
      return died;
    };
    let kills = 0;
    for (let goesOn = true; goesOn && kills < most; ) {
      const outcomes = await Promise.allSettled([survives(kills + 1), survives(kills + 2)]);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      goesOn = outcomes.every((outcome) => outcome.status === 'fulfilled' && outcome.value);
      if (goesOn) kills += 2;
    }
    expect(kills).toBeGreaterThanOrEqual(LOCK_CHANGES);
  }

  test('a new store opens at the next try', () =>
    killBeforeEachChange(true, Number.POSITIVE_INFINITY, async () => {}));

  test('a store whose last holder was killed opens at the next try', () =>
    killBeforeEachChange(true, LOCK_CHANGES, async (directory) => {
      // As a holder leaves it that dies after its last sync: its record and its lease, and no
      // kernel lock.
      await put(await openStore(directory), 'before');
      mkdirSync(join(directory, LEASE));
    }));

  test('a store whose last holder was killed opens at the next try, or without kernel locks once the lease is stale', () =>
    killBeforeEachChange(false, LOCK_CHANGES, async (directory) =>
      (await holderIn(directory, { kernelLocks: false })).kill(),
    ));

  test('a store with a stale lease of nobody knows whom opens at the next try', () =>
    killBeforeEachChange(true, LOCK_CHANGES, async (directory) => {
      mkdirSync(join(directory, LEASE), { recursive: true });
      ageLease(directory);
    }));
});

describe('without kernel locks', () => {
  test('the lease keeps others out, and a killed holder does not', async () => {
    const directory = temporaryDirectory();
    const fileSystem = withoutKernelLocks();
    const holder = await holderIn(directory, { kernelLocks: false });
    expect(await rejectionOf(openStore(directory, { fileSystem }))).toMatchObject({
      code: 'STORE_LOCKED',
      holderPid: holder.pid,
    });
    await holder.kill();
    await put(await openStore(directory, { fileSystem }), 'next');
  });

  test('an opening that comes too late leaves the record of the holder alone', async () => {
    const directory = temporaryDirectory();
    await put(await openStore(directory), 'first');
    const late = await StoreProcess.start();
    // It has seen that nobody holds the lease, and is about to take it.
    const lateOpening = late.open(directory, { kernelLocks: false, stopBefore: 'holdLease' });
    await late.stopped();
    const holder = await holderIn(directory, { kernelLocks: false });
    late.signal('SIGCONT');
    await expect(lateOpening).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await late.kill();
    // Whoever believes that the late one holds the lease will find it dead, and rob the holder.
    expect(
      await rejectionOf(openStore(directory, { fileSystem: withoutKernelLocks() })),
    ).toMatchObject({
      code: 'STORE_LOCKED',
      holderPid: holder.pid,
    });
  });

  test('of two that find the same dead holder only one takes its place', async () => {
    const directory = temporaryDirectory();
    await (await holderIn(directory, { kernelLocks: false })).kill();
    const late = await StoreProcess.start();
    // It has seen that the holder is dead, and is about to remove its lease.
    const lateOpening = late.open(directory, { kernelLocks: false, stopBefore: 'breakLease' });
    await late.stopped();
    await holderIn(directory, { kernelLocks: false });
    late.signal('SIGCONT');
    await expect(lateOpening).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  test('a holder whose process cannot be looked at is not taken for dead', async () => {
    const directory = temporaryDirectory();
    const holder = await holderIn(directory, { kernelLocks: false });
    const fileSystem = intercept(withoutKernelLocks(), ({ method, args, proceed }) => {
      if (method === 'open' && args[0] === `/proc/${holder.pid}/stat`) throw systemError('EMFILE');
      return proceed();
    });
    expect(await rejectionOf(openStore(directory, { fileSystem }))).toMatchObject({
      code: 'STORE_LOCKED',
    });
  });

  test('a lost lease ends writing', async () => {
    const directory = temporaryDirectory();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const losses: boolean[] = [];
    const store = await openStore(directory, {
      fileSystem: withoutKernelLocks(),
      probe: { event: (event) => void (event.kind === 'leaseLost' && losses.push(event.fatal)) },
    });
    store.put('before', 'x');
    rmdirSync(join(directory, LEASE));
    vi.advanceTimersByTime(LEASE_STALE_MS);
    await until(() => losses.length > 0);
    expect(losses).toEqual([true]);
    expect(store.poisoned).toMatchObject({ code: 'SYNC_FAILED' });
    expect(() => store.put('after', 'x')).toThrow(
      expect.objectContaining({ code: 'WRITER_POISONED' }),
    );
    await expect(store.sync()).rejects.toMatchObject({ code: 'WRITER_POISONED' });
    expect(String(store.get('before'))).toBe('x');
    await store.close();
  });

  test('a holder that was robbed leaves the record of the one after it alone, when it closes too', async () => {
    const directory = temporaryDirectory();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const robbed = await openStore(directory, { fileSystem: withoutKernelLocks() });
    // Refreshed once: from then on its time is not the rounded one that every new lease begins
    // with.
    const firstTime = statSync(join(directory, LEASE)).mtimeMs;
    vi.advanceTimersByTime(LEASE_STALE_MS);
    await until(() => statSync(join(directory, LEASE)).mtimeMs !== firstTime);
    // As if its event loop had been blocked for longer than the stale interval.
    ageLease(directory);
    const holder = await holderIn(directory, { kernelLocks: false });
    vi.advanceTimersByTime(LEASE_STALE_MS);
    await until(() => robbed.poisoned !== undefined);
    await robbed.close();
    expect(
      await rejectionOf(openStore(directory, { fileSystem: withoutKernelLocks() })),
    ).toMatchObject({
      code: 'STORE_LOCKED',
      holderPid: holder.pid,
    });
    await holder.call('put', 'after', 'the robbery');
    await holder.call('close');
    const next = await openStore(directory);
    expect(next.recoveryReport).toMatchObject({
      outcome: 'clean',
      durableMark: { witnessed: true },
    });
    await next.close();
  });

  test.each([
    ['put', (store: Store) => void store.put('key', 'value')],
    ['nothing', () => {}],
  ])(
    'after %s no sync is acknowledged once the lease is older than the stale interval',
    async (_, write) => {
      let ageMs = 0;
      const store = await openStore(temporaryDirectory(), {
        fileSystem: withoutKernelLocks((lease) => ({
          ageMs: () => ageMs,
          release: () => lease.release(),
        })),
      });
      ageMs = LEASE_STALE_MS;
      await store.putDurable('key', 'in time');
      write(store);
      ageMs = LEASE_STALE_MS + 1;
      await expect(store.sync()).rejects.toMatchObject({
        code: 'SYNC_FAILED',
        indeterminate: true,
      });
      expect(() => store.put('key', 'x')).toThrow(
        expect.objectContaining({ code: 'WRITER_POISONED' }),
      );
      await store.close();
    },
  );

  test('a close with a lease that is too old does not call the log closed in order', async () => {
    const directory = temporaryDirectory();
    let ageMs = 0;
    const store = await openStore(directory, {
      fileSystem: withoutKernelLocks((lease) => ({
        ageMs: () => ageMs,
        release: () => lease.release(),
      })),
    });
    await store.putDurable('key', 'value');
    ageMs = LEASE_STALE_MS + 1;
    await store.close().catch(() => {});
    expect(readMark(new NodeFileSystem(), directory).newest?.mark.clean).toBe(false);
  });
});

describe('without kernel locks, too', () => {
  const withAge = (ageMs: () => number) =>
    withoutKernelLocks((lease) => ({ ageMs, release: () => lease.release() }));

  test.each([
    ['put', (store: Store) => void store.put('late', 'x')],
    ['delete', (store: Store) => void store.delete('key')],
    ['batch', (store: Store) => store.batch([{ type: 'put', key: 'late', value: 'x' }])],
    ['a large put', (store: Store) => void store.put('late', Buffer.alloc(100_000))],
    ['rotate', (store: Store) => store.rotate()],
  ])('%s writes nothing once the lease may be another one', async (_, write) => {
    const directory = temporaryDirectory();
    let ageMs = 0;
    const store = await openStore(directory, { fileSystem: withAge(() => ageMs) });
    await store.putDurable('key', 'value');
    const before = everyFile(directory);
    ageMs = LEASE_STALE_MS + 1;
    expect(() => write(store)).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }));
    ageMs = 0;
    expect(() => write(store)).toThrow(expect.objectContaining({ code: 'WRITER_POISONED' }));
    expect(everyFile(directory)).toEqual(before);
    expect(String(store.get('key'))).toBe('value');
    await store.close();
    expect(everyFile(directory)).toEqual(before);
  });

  test('report, stats and a note say so', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory, { fileSystem: withoutKernelLocks() });
    expect(store.stats().kernelLock).toBe(false);
    expect(store.recoveryReport.notes.join()).toContain('kernel locks are off');
    await store.close();
    const locked = await openStore(directory);
    expect(locked.stats().kernelLock).toBe(true);
    expect(locked.recoveryReport.notes).toEqual([]);
    await locked.close();
  });

  test('whoever stumbles over another opening is told that the store is locked', async () => {
    const stumbling = (times: number) => {
      let left = times;
      return intercept(new NodeFileSystem(), ({ method, proceed }) => {
        if (method === 'tryLock') return 'unsupported';
        if (method === 'holdLease' && left-- > 0) return Promise.reject(systemError('ENOENT'));
        return proceed();
      });
    };
    await put(await openStore(temporaryDirectory(), { fileSystem: stumbling(1) }), 'key');
    const fileSystem = stumbling(Number.POSITIVE_INFINITY);
    expect(await rejectionOf(openStore(temporaryDirectory(), { fileSystem }))).toMatchObject({
      code: 'STORE_LOCKED',
    });
  });

  test('of several that find a dead holder at once at most one gets the store, and the others are told so', async () => {
    const racers = await Promise.all([StoreProcess.start(), StoreProcess.start()]);
    for (let round = 0; round < 10; round++) {
      const directory = temporaryDirectory();
      const store = await openStore(directory, { fileSystem: withoutKernelLocks() });
      await store.putDurable('key', 'value');
      await store.close();
      // As a holder leaves it that dies.
      mkdirSync(join(directory, LEASE));
      ageLease(directory);
      const opening = racers.map((racer) => racer.open(directory, { kernelLocks: false }));
      const results = await Promise.allSettled(opening);
      const refused = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason.code] : [],
      );
      expect(refused.filter((code) => code !== 'STORE_LOCKED')).toEqual([]);
      expect(refused.length).toBeGreaterThanOrEqual(1);
      for (const racer of racers) await racer.call('close').catch(() => {});
    }
  });

  test('a worker thread that was ended does not keep its own process out', async (context) => {
    if (!existsSync('/proc/thread-self')) context.skip('threads cannot be told apart here');
    const directory = temporaryDirectory();
    const engine = new URL('../../dist/src/engine/index.js', import.meta.url);
    const worker = new Worker(
      `import(${JSON.stringify(engine.href)}).then(async ({ NodeFileSystem, openStore }) => {
        const fileSystem = new NodeFileSystem();
        fileSystem.tryLock = () => 'unsupported';
        const store = await openStore(${JSON.stringify(directory)}, { fileSystem });
        await store.putDurable('key', 'of the worker');
        const { parentPort } = require('node:worker_threads');
        // Goes on until it is ended.
        parentPort.on('message', () => {});
        parentPort.postMessage('open');
      })`,
      { eval: true },
    );
    await once(worker, 'message');
    const fileSystem = withoutKernelLocks();
    expect(await rejectionOf(openStore(directory, { fileSystem }))).toMatchObject({
      code: 'STORE_LOCKED',
      holderPid: process.pid,
    });
    await worker.terminate();
    const store = await openStore(directory, { fileSystem });
    expect(String(store.get('key'))).toBe('of the worker');
    await store.close();
  });

  test.each([-1, 1])('a lease of another time, %s days off, does not block', async (days) => {
    const directory = temporaryDirectory();
    const holder = await holderIn(directory, { kernelLocks: false });
    await holder.kill();
    const then = new Date(Date.now() + days * 86_400_000);
    utimesSync(join(directory, LEASE), then, then);
    // Nobody knows whose it is.
    rmSync(join(directory, '.lock'));
    await put(await openStore(directory, { fileSystem: withoutKernelLocks() }), 'next');
  });
});

describe('with kernel locks', () => {
  test('a lost lease is reported, and writing goes on', async () => {
    const directory = temporaryDirectory();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const losses: boolean[] = [];
    const store = await openStore(directory, {
      probe: { event: (event) => void (event.kind === 'leaseLost' && losses.push(event.fatal)) },
    });
    rmdirSync(join(directory, LEASE));
    vi.advanceTimersByTime(LEASE_STALE_MS);
    await until(() => losses.length > 0);
    expect(losses).toEqual([false]);
    await put(store, 'after');
  });

  test('a store that was moved keeps its hands off the lease of the one that took its place', async () => {
    const root = temporaryDirectory();
    const [data, old] = [join(root, 'data'), join(root, 'old')];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const store = await openStore(data);
    await store.putDurable('key', 'value');
    renameSync(data, old);
    const other = await openStore(data);
    await other.putDurable('other', 'value');
    const { ino, mtimeMs } = statSync(join(data, LEASE));
    expect(ino).not.toBe(statSync(join(old, LEASE)).ino);
    // Time for the first to refresh its lease, which it does not find.
    vi.advanceTimersByTime(LEASE_STALE_MS);
    await until(() => statSync(join(data, LEASE)).mtimeMs !== mtimeMs);
    await until(() => store.poisoned !== undefined);
    expect(store.poisoned).toMatchObject({ code: 'STORE_MOVED' });
    await store.close();
    expect(statSync(join(data, LEASE)).ino).toBe(ino);
    await put(other, 'more');
  });

  test('an opening that fails after it took a lease gives the lease back', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, LEASE));
    ageLease(directory);
    const fileSystem = intercept(new NodeFileSystem(), ({ method, proceed }) => {
      if (method === 'write') throw systemError('ENOSPC');
      return proceed();
    });
    expect(await rejectionOf(openStore(directory, { fileSystem }))).toMatchObject({
      code: 'IO_FAILED',
    });
    await put(await openStore(directory), 'next');
  });
});
