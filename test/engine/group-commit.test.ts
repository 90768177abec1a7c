import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DiskModel } from '../../harness/crash/disk/disk-model.ts';
import { History } from '../../harness/crash/promises/history.ts';
import { EMPTY_DISK, fileSystemOf } from '../../harness/file-systems/disk-image.ts';
import { type Call, intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../harness/file-systems/recording-file-system.ts';
import type { TraceEvent } from '../../harness/file-systems/trace.ts';
import { Prng } from '../../harness/prng.ts';
import { RecordType } from '../../src/engine/format/format.ts';
import { openStore } from '../../src/engine/index.ts';
import { GroupCommit } from '../../src/engine/log/group-commit.ts';
import { OpenLog } from '../../src/engine/log/open-log.ts';
import { MAX_UNSYNCED_RECORDS } from '../../src/engine/recovery/recovery.ts';

const DIRECTORY = '/store';
const nextTurn = () => new Promise(setImmediate);

describe('group commit', () => {
  test('settles each caller with the first commit that begins after it, in any interleaving', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 12 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 12 })),
        async (scheduler, callers, failing) => {
          let begun = 0;
          let ended = 0;
          let acknowledged = 0;
          const commits = new GroupCommit(async (waiters) => {
            expect(ended).toBe(begun);
            begun++;
            acknowledged += waiters;
            await scheduler.schedule(Promise.resolve(), 'a sync');
            ended++;
            if (failing.includes(ended)) throw new Error(`commit ${ended} failed`);
            return ended;
          });
          const joined = Array.from({ length: callers }, async (_, caller) => {
            await scheduler.schedule(Promise.resolve(), `caller ${caller}`);
            const commit = begun + 1;
            const outcome = await commits.join().then(
              (served) => `by ${served}`,
              (error: Error) => error.message,
            );
            expect(ended).toBeGreaterThanOrEqual(commit);
            expect(outcome).toBe(
              failing.includes(commit) ? `commit ${commit} failed` : `by ${commit}`,
            );
          });
          await scheduler.waitFor(Promise.all(joined));
          expect(acknowledged).toBe(callers);
          expect(commits.waiterCount).toBe(0);
        },
      ),
    );
  });
});

/** A store whose syncs in the thread pool end when they are told to. */
async function openWithGate(options: { segmentBytes?: number } = {}) {
  const memory = new MemoryFileSystem();
  const calls: Call[] = [];
  const waiting: (() => void)[] = [];
  const fileSystem = intercept(memory, (call) => {
    calls.push(call);
    if (call.method !== 'dataSyncAsync' && call.method !== 'directorySyncAsync')
      return call.proceed();
    return new Promise<void>((resolve) => waiting.push(resolve)).then(call.proceed);
  });
  const store = await openStore(DIRECTORY, { fileSystem, ...options });
  calls.length = 0;
  return {
    store,
    names: () => calls.map(({ method, name }) => `${method} ${name}`),
    /** Lets the oldest sync end. */
    endOne: async () => {
      await nextTurn();
      waiting.shift()?.();
      await nextTurn();
    },
    endAllAndClose: async () => {
      const closed = store.close();
      let open = true;
      void closed.finally(() => {
        open = false;
      });
      while (open) {
        waiting.shift()?.();
        await nextTurn();
      }
      await closed;
    },
  };
}

describe('durable writes', () => {
  test('64 of them in one turn cost one sync', async () => {
    const gate = await openWithGate();
    const { store } = gate;
    const writes = Array.from({ length: 64 }, (_, index) => store.putDurable(`key-${index}`, 'x'));
    expect(store.stats().syncWaiters).toBe(64);
    await gate.endOne();
    await Promise.all(writes);
    expect(gate.names().filter((name) => name.includes('Sync'))).toEqual([
      'dataSyncAsync 00000001.dwal',
    ]);
    expect(store.stats()).toMatchObject({ syncWaiters: 0, unsyncedRecords: 0 });
    await gate.endAllAndClose();
  });

  test('one that comes while a sync runs waits for the next', async () => {
    const gate = await openWithGate();
    const { store } = gate;
    const settled: string[] = [];
    void store.putDurable('first', 'x').then(() => settled.push('first'));
    await nextTurn();
    void store.putDurable('second', 'x').then(() => settled.push('second'));
    await gate.endOne();
    expect(settled).toEqual(['first']);
    expect(store.durableEnd.offset).toBeLessThan(store.end.offset);
    await gate.endOne();
    expect(settled).toEqual(['first', 'second']);
    expect(store.durableEnd).toEqual(store.end);
    await gate.endAllAndClose();
  });

  test('a sync of what is durable already only looks whether it is still where it was', async () => {
    const gate = await openWithGate();
    await gate.store.sync();
    expect(gate.names()).toEqual(['stat .lock', 'stat 00000001.dwal']);
    await gate.endAllAndClose();
  });
});

describe('the order of syncs', () => {
  interface SlowSyncs {
    readonly trace: readonly TraceEvent[];
    readonly history: History;
    /**
     * Length of the history that was known to be durable, by how many events there were by then.
     */
    readonly acknowledged: ReadonlyMap<number, number>;
  }

  /**
   * The steps of a workload on syncs that take their time, so that blocking ones overtake those in
   * the pool.
   */
  async function recordSlowSyncs(seed: number): Promise<SlowSyncs> {
    const prng = Prng.seeded(seed);
    const trace: TraceEvent[] = [];
    const history = new History(8);
    const acknowledged = new Map<number, number>();
    const acknowledge = (length: number) => {
      acknowledged.set(trace.length, length);
    };
    const memory = intercept(new MemoryFileSystem(), ({ method, proceed }) => {
      if (method !== 'dataSyncAsync' && method !== 'directorySyncAsync') return proceed();
      return turns(prng.below(6)).then(proceed);
    });
    const fileSystem = new RecordingFileSystem(memory, trace);
    const store = await openStore(DIRECTORY, { fileSystem, segmentBytes: 300 });
    const syncs: Promise<unknown>[] = [];
    for (let step = 0; step < 80; step++) {
      const choice = prng.below(10);
      if (choice < 5) {
        const key = prng.below(8);
        store.put(history.keyName(key), history.valueOf(history.length));
        history.append({ key, kind: 'put' });
      } else if (choice < 7) {
        const { length } = history;
        syncs.push(store.sync().then(() => acknowledge(length)));
      } else if (choice < 8) store.rotate();
      else await nextTurn();
    }
    await Promise.all(syncs);
    await store.close();
    acknowledge(history.length);
    return { trace, history, acknowledged };
  }

  async function turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await nextTurn();
  }

  test('everything acknowledged is found again when the power goes, whatever became of the durable mark', async () => {
    let images = 0;
    for (let seed = 1; seed <= 15; seed++) {
      const { trace, history, acknowledged } = await recordSlowSyncs(seed);
      const disk = new DiskModel(EMPTY_DISK, () => 0);
      let durable = 0;
      let markInode: number | undefined;
      const isMark = (event: TraceEvent | undefined) =>
        event?.kind === 'write' && event.inode === markInode;
      for (const [at, event] of trace.entries()) {
        disk.advance(event, at);
        if (event.kind === 'create' && event.path.endsWith('durable-mark')) markInode = event.inode;
        const told = acknowledged.get(at + 1);
        if (told === undefined && !isMark(event)) continue;
        durable = Math.max(durable, told ?? 0);
        // The least that the disk may hold, and the least with all that was ever written to the
        // mark: it never leads.
        for (const image of [
          disk.image(() => 'lost'),
          disk.image((index) => (isMark(disk.pieces[index]?.event) ? 'kept' : 'lost')),
        ]) {
          images++;
          const store = await openStore(DIRECTORY, { fileSystem: fileSystemOf(image) });
          const kept = history.longestPrefix(history.stateOf(store.entries()));
          expect(kept, `seed ${seed}, event ${at}`).toBeGreaterThanOrEqual(durable);
          await store.close();
        }
      }
      expect(durable).toBe(history.length);
    }
    expect(images).toBeGreaterThan(500);
  });

  test('a rotation goes on without waiting for the sync of the segment before', async () => {
    const gate = await openWithGate();
    gate.store.put('key', 'x');
    gate.store.rotate();
    gate.store.put('key', 'y');
    expect(gate.names().filter((name) => name.includes('Sync'))).toEqual([]);
    await gate.endAllAndClose();
  });

  test('a rotation to segment N+2 waits for the sync of N and of the directory that names N+1', async () => {
    const gate = await openWithGate();
    gate.store.put('key', 'x');
    gate.store.rotate();
    gate.store.put('key', 'y');
    gate.store.rotate();
    const names = gate.names();
    const created = names.indexOf('open 00000003.dwal');
    for (const needed of ['dataSync 00000001.dwal', `directorySync ${DIRECTORY.slice(1)}`]) {
      expect(names.slice(0, created)).toContain(needed);
    }
    expect(gate.store.durableEnd).toMatchObject({ segmentId: 2, offset: 0 });
    await gate.endAllAndClose();
  });

  test('a record that would be one too many unsynced waits for a sync', async () => {
    const memory = new MemoryFileSystem();
    const syncs: string[] = [];
    const fileSystem = intercept(memory, ({ method, name, proceed }) => {
      if (method === 'dataSync') syncs.push(name);
      return proceed();
    });
    const log = await OpenLog.open(DIRECTORY, { fileSystem });
    syncs.length = 0;
    const nothing = new Uint8Array(0);
    const raw = { type: RecordType.Raw, key: nothing, payload: nothing, byteLength: 28 };
    log.writer.appendAll(Array(MAX_UNSYNCED_RECORDS).fill(raw), () => {});
    expect(syncs).toEqual([]);
    expect(log.stats().unsyncedRecords).toBe(2 ** 19);
    log.writer.appendAll([raw], () => {});
    expect(syncs).toEqual(['00000001.dwal']);
    expect(log.stats().unsyncedRecords).toBe(1);
    await log.close();
  });
});
