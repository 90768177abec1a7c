import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Call, intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openStore, type Probe, type ScannedRecord, type Store } from '../../src/engine/index.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { rejectionOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { DIRECTORY, everyFile, open } from './store-in-memory.ts';

const EVERYTHING = { deadRatio: 0 };

/** Three sealed segments, most of which is garbage, and an active one without any. */
async function writeGarbage(store: Store): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let key = 0; key < 6; key++)
      store.put(`key-${key}`, `value ${round}`.padEnd(30 + key, '.'));
    store.delete(`key-${round}`);
    store.put(`kept-${round}`, 'kept');
    store.rotate();
  }
  // No segment is worth a merge by this measure, but all get their seals.
  await store.compact({ deadRatio: 1 });
}

function pairsOf(store: Store): Record<string, string> {
  return Object.fromEntries(
    [...store.entries()].map(([key, value]) => [String(key), String(value)]),
  );
}

/** Everything but the mark, which moves, and the lock. */
function logFiles(fileSystem: MemoryFileSystem): Record<string, string> {
  return Object.fromEntries(
    Object.entries(everyFile(fileSystem)).filter(([path]) => !/\.lock|durable-mark/.test(path)),
  );
}

/** A store in memory, and what each call of its merges meets once `meet` is set. */
async function storeThatMeets(probe?: Probe) {
  const inner = new MemoryFileSystem();
  const met: { meet: ((call: Call, path: string) => void) | undefined } = { meet: undefined };
  const fileSystem = intercept(inner, (call) => {
    met.meet?.(call, call.path);
    return call.proceed();
  });
  const store = await open(fileSystem, probe === undefined ? {} : { probe });
  await writeGarbage(store);
  return { inner, store, met };
}

const TEMPORARY = /\.merge-tmp$|\.merge\.tmp$/;

describe('a merge', () => {
  test('leaves no descriptor on a deleted file, whatever was being read', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory, { descriptorPoolSize: 2 });
    await writeGarbage(store);
    const expected = pairsOf(store);
    const scan = store.scan();
    const first = scan.next();
    const reads = Object.keys(expected).map(async (key) => [
      key,
      String(await store.getAsync(key)),
    ]);
    const { merges } = await store.compact(EVERYTHING);
    expect(merges).toBeGreaterThan(0);
    expect(Object.fromEntries(await Promise.all(reads))).toEqual(expected);
    expect([first.value, ...scan]).toHaveLength(24);
    expect(pairsOf(store)).toEqual(expected);
    const targets = readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/self/fd/${descriptor}`)];
      } catch {
        // The one of the listing itself.
        return [];
      }
    });
    const open = targets.filter((target) => target.startsWith(directory));
    expect(open.filter((target) => target.endsWith(' (deleted)'))).toEqual([]);
    expect(open).toHaveLength(store.stats().openDescriptors);
    await store.close();
  });

  test('that is ended before it is published leaves nothing behind, and can be run again', async () => {
    for (let abortAt = 1; ; abortAt++) {
      const { inner, store, met } = await storeThatMeets();
      const [files, expected] = [logFiles(inner), pairsOf(store)];
      const ending = new AbortController();
      let changes = 0;
      let isPublished = false;
      met.meet = (call, path) => {
        if (call.method === 'rename' && path.endsWith('.merge-tmp')) isPublished = true;
        if (isChange(call) && ++changes === abortAt && !isPublished) ending.abort('enough');
      };
      const result = await store
        .compact({ ...EVERYTHING, signal: ending.signal })
        .catch((error) => error);
      met.meet = undefined;
      if (!ending.signal.aborted) break;
      expect(result).toBe('enough');
      expect(logFiles(inner), `ended in change ${abortAt}`).toEqual(files);
      expect(pairsOf(store)).toEqual(expected);
      expect((await store.compact(EVERYTHING)).merges).toBeGreaterThan(0);
      expect(pairsOf(store)).toEqual(expected);
      await store.close();
      expect(inner.openDescriptorCount).toBe(0);
    }
  });

  test.each(['signal', 'close'])(
    'that a %s ends is to the probe no success and no failure',
    async (end) => {
      const outcomes: unknown[] = [];
      const { store, met } = await storeThatMeets({
        event: (event) => {
          if (event.kind === 'compact')
            outcomes.push([event.outcome, event.outputBytes, event.error]);
        },
      });
      const ending = new AbortController();
      // A reason that looks like an error of the system is the caller's all the same.
      const reason = Object.assign(new Error('enough'), { code: 'ECANCELED' });
      let closed: Promise<void> | undefined;
      met.meet = (_call, path) => {
        if (!path.endsWith('.merge-tmp')) return;
        if (end === 'signal') ending.abort(reason);
        else closed ??= store.close();
      };
      const error = await rejectionOf(store.compact({ ...EVERYTHING, signal: ending.signal }));
      if (end === 'signal') expect(error).toBe(reason);
      else expect(error).toMatchObject({ code: 'STORE_CLOSED' });
      await (closed ?? store.close());
      expect(outcomes).toEqual([['aborted', 0, undefined]]);
    },
  );

  test('gives others a turn between two removals of large files', async () => {
    const { store, met } = await storeThatMeets();
    let turn = 0;
    let isCounting = true;
    const count = () => {
      turn++;
      if (isCounting) setImmediate(count);
    };
    count();
    const removedAt: number[] = [];
    met.meet = (call, path) => {
      if (call.method === 'remove' && path.endsWith('.seal')) removedAt.push(turn);
    };
    await store.compact(EVERYTHING);
    isCounting = false;
    expect(removedAt.length).toBeGreaterThan(1);
    expect(new Set(removedAt).size).toBe(removedAt.length);
    await store.close();
  });

  test('that finds no room says so and changes nothing', async () => {
    let failures = 0;
    for (let failAt = 1; ; failAt++) {
      const { inner, store, met } = await storeThatMeets();
      const [files, expected] = [logFiles(inner), pairsOf(store)];
      let calls = 0;
      met.meet = (call, path) => {
        const takesRoom =
          call.method === 'write' || (call.method === 'open' && call.args[1] === 'create');
        if (!takesRoom || !TEMPORARY.test(path) || ++calls !== failAt) return;
        throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
      };
      const result = await store.compact(EVERYTHING).catch((error) => error);
      met.meet = undefined;
      if (!(result instanceof Error)) break;
      failures++;
      // What absorbed segments are emptied with has a name of that kind, too: by then there is no
      // way back. A second merge, of what the first has left, may be the one that fails.
      const isFirst = inner.stat(segmentPath(DIRECTORY, 1))?.sizeBytes !== 0;
      if (store.poisoned === undefined) {
        expect(result).toMatchObject({ code: 'NO_SPACE' });
        if (isFirst) expect(logFiles(inner)).toEqual(files);
        expect(inner.list(DIRECTORY).filter((name) => TEMPORARY.test(name))).toEqual([]);
        store.put('after', 'it');
        expect((await store.compact(EVERYTHING)).merges).toBeGreaterThan(0);
        expect(pairsOf(store)).toEqual({ ...expected, after: 'it' });
      } else {
        expect(result).toMatchObject({ code: 'WRITE_FAILED' });
      }
      await store.close();
      const again = await open(inner.afterProcessDeath());
      expect(pairsOf(again)).toMatchObject(expected);
    }
    expect(failures).toBeGreaterThanOrEqual(4);
  });

  test('that meets a damaged frame names it and changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (pickFrame, pickBit) => {
        const fileSystem = new MemoryFileSystem();
        const store = await open(fileSystem);
        await writeGarbage(store);
        const records = [...store.scan()];
        const { segmentId, offset, byteLength } = (
          records[pickFrame % records.length] as ScannedRecord
        ).ref;
        fileSystem.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => {
          const bit = pickBit % (byteLength * 8);
          bytes[offset + (bit >>> 3)] = (bytes[offset + (bit >>> 3)] as number) ^ (1 << (bit % 8));
          return bytes;
        });
        const files = logFiles(fileSystem);
        const error = await rejectionOf(store.compact(EVERYTHING));
        expect(error).toMatchObject({ segmentId, offset });
        expect((error as { code: string }).code).toMatch(/^(?:CRC|FRAME)_MISMATCH$/);
        expect(logFiles(fileSystem)).toEqual(files);
        expect(store.poisoned).toBeUndefined();
        await store.close();
      }),
      { numRuns: 100 },
    );
  });

  test('that was killed is told of by the next opening', async () => {
    const { inner, store, met } = await storeThatMeets();
    met.meet = (call, path) => {
      if (call.method === 'rename' && path.endsWith('.merge')) throw new Error('killed');
    };
    await rejectionOf(store.compact(EVERYTHING));
    const again = await open(inner.afterProcessDeath());
    expect(again.recoveryReport.notes.join()).toMatch(/finished the merge of segments 1 to \d/);
    expect(pairsOf(again)).toEqual(pairsOf(store));
  });
});

describe('a compaction beside writes that never end', () => {
  const MOST = 100;

  /**
   * Calls `write` with a number whenever a file is about to be renamed that ends so, so many times
   * at most.
   */
  async function storeWrittenAt(ending: string, write: (store: Store, round: number) => void) {
    const { store, met } = await storeThatMeets();
    let rounds = 0;
    let isWriting = false;
    met.meet = (call, path) => {
      if (isWriting || call.method !== 'rename' || !path.endsWith(ending) || rounds === MOST)
        return;
      isWriting = true;
      write(store, ++rounds);
      isWriting = false;
    };
    return { store, rounds: () => rounds };
  }

  test('merges what was sealed when it began, each segment once, and then ends', async () => {
    // What a merge puts in its output is garbage before the next one begins.
    const { store, rounds } = await storeWrittenAt('.merge-tmp', (written, round) =>
      written.put(`many-${round}`, 'overwritten'),
    );
    for (let key = 1; key <= MOST; key++) store.put(`many-${key}`, `value ${key}`);
    store.put('many-1', 'garbage');
    store.rotate();
    const { segments } = store.stats();
    const { merges } = await store.compact(EVERYTHING);
    expect(merges).toBeGreaterThan(0);
    expect(merges).toBeLessThan(segments);
    expect(rounds()).toBeGreaterThan(0);
    // What became garbage meanwhile is for the next call.
    expect((await store.compact(EVERYTHING)).merges).toBeGreaterThan(0);
    await store.close();
  });

  test('waits for the seals of what was sealed when it began, and for no others', async () => {
    const { store, rounds } = await storeWrittenAt('.seal.tmp', (written, round) => {
      written.put('many', `value ${round}`);
      written.rotate();
    });
    store.put('key-4', 'the garbage that makes it seal the active segment, too');
    store.put('key-4', 'garbage');
    await store.compact(EVERYTHING);
    expect(rounds()).toBeGreaterThan(0);
    expect(rounds()).toBeLessThan(MOST);
    await store.close();
  });
});

describe('automatic merges', () => {
  test('that wait for a scrub keep nobody waiting who syncs', async () => {
    const options = { segmentBytes: 400, compaction: { auto: { minBytes: 400 } } };
    const store = await open(new MemoryFileSystem(), options);
    store.put('key', 'value');
    const ending = new AbortController();
    const scrub = rejectionOf(store.verify({ bytesPerSecond: 1, signal: ending.signal }));
    for (let round = 0; round < 100; round++) store.put('key', `value ${round}`);
    await store.sealsWritten();
    expect(store.stats().sealedBytes).toBeGreaterThan(4 * 400);
    let isSynced = false;
    const synced = store.sync().then(() => {
      isSynced = true;
    });
    for (let turn = 0; turn < 1000 && !isSynced; turn++) await nextTurn();
    expect(isSynced).toBe(true);
    ending.abort('enough');
    expect(await scrub).toBe('enough');
    await synced;
    await store.close();
  });
});

describe('waiting for seals', () => {
  test('settles when what was sealed has its seal, and tells what keeps them from being written', async () => {
    const { inner, store, met } = await storeThatMeets();
    store.put('one', 'more');
    const { segmentId } = store.end;
    store.rotate();
    expect(inner.stat(sealPath(DIRECTORY, segmentId))).toBeUndefined();
    await store.sealsWritten();
    expect(inner.stat(sealPath(DIRECTORY, segmentId))).toBeDefined();
    expect(store.stats().unwrittenSeals).toBe(0);
    store.rotate();
    met.meet = (call) => {
      if (call.method === 'directorySyncAsync')
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    expect(await rejectionOf(store.sealsWritten())).toMatchObject({
      code: expect.stringMatching(/SYNC_FAILED|WRITER_POISONED/),
    });
    expect(await rejectionOf(store.sealsWritten())).toMatchObject({ code: 'WRITER_POISONED' });
    await rejectionOf(store.close().then(() => Promise.reject(new Error('closed'))));
    expect(await rejectionOf(store.sealsWritten())).toMatchObject({ code: 'STORE_CLOSED' });
  });
});
