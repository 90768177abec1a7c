import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordType } from '../../src/engine/format/format.ts';
import { encodeFrame, frameBytes } from '../../src/engine/format/frame.ts';
import { segmentIds, segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  type FileSystem,
  type FollowOptions,
  openReader,
  type Probe,
  type ScannedRecord,
  type Store,
  type StoreReader,
} from '../../src/engine/index.ts';
import { TXID_JUMP } from '../../src/engine/recovery/log-opening.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { mergeByHand, mergeSteps } from '../support/merge-by-hand.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

let disk: MemoryFileSystem;

beforeEach(() => {
  disk = new MemoryFileSystem();
});

const openSource = () => open(disk, { segmentBytes: 400 });
const read = (fileSystem: FileSystem = disk, probe?: Probe): Promise<StoreReader> =>
  openReader(DIRECTORY, probe === undefined ? { fileSystem } : { fileSystem, probe });

function fill(store: Store, round: number): void {
  for (let key = 0; key < 8; key++) store.put(`key-${key}`, `value ${key} of round ${round}`);
  store.delete(`key-${round % 8}`);
}

/** Closed once: every segment but the last has its seal. */
async function sealedSource(rounds = 6): Promise<Store> {
  const writer = await openSource();
  for (let round = 0; round < rounds; round++) fill(writer, round);
  await writer.close();
  return openSource();
}

/** The process of the writer is gone, and its lock: the same disk for whoever goes on. */
function forgetWriter(): void {
  for (const path of ['.lock', '.lock.lock'].map((name) => `${DIRECTORY}/${name}`)) {
    if (disk.stat(path)?.kind === 'file') disk.remove(path);
    else if (disk.stat(path) !== undefined) disk.removeDirectory(path);
  }
  disk.releaseKernelLocks();
}

const pairsOf = (view: { entries(): Iterable<[Uint8Array, Uint8Array]> }) =>
  [...view.entries()].map(([key, value]) => `${key}=${value}`).sort();
const told = ({ txid, type, key, payload }: ScannedRecord) => `${txid} ${type} ${key} ${payload}`;
const everything = (store: Store) => [...store.scan()].map(told);

describe('a reader that is refreshed', () => {
  test('takes up what was appended and rotated since, and reads no more than that', async () => {
    let bytesRead = 0;
    const probe: Probe = {
      read: (_operation, _site, _segmentId, _offset, bytes) => (bytesRead += bytes),
    };
    await using store = await sealedSource();
    await using reader = await read(disk, probe);
    for (let round = 10; round < 20; round++) {
      const before = pairsOf(reader);
      const { segmentId, offset } = store.end;
      fill(store, round);
      expect(pairsOf(reader)).toEqual(before);
      const written = [...store.scan()]
        .filter(
          ({ ref }) =>
            ref.segmentId > segmentId || (ref.segmentId === segmentId && ref.offset >= offset),
        )
        .reduce((sum, { ref }) => sum + ref.byteLength, 0);
      bytesRead = 0;
      await reader.refresh();
      expect(bytesRead).toBe(written);
      expect(pairsOf(reader)).toEqual(pairsOf(store));
      expect(reader.lastTxid).toBe(store.end.nextTxid - 1);
    }
    bytesRead = 0;
    await Promise.all([reader.refresh(), reader.refresh()]);
    expect(bytesRead).toBe(0);
    expect([...reader.scan()].map(told)).toEqual(everything(store));
  });

  test('is right at every step of a merge, and so is one that is opened there', async () => {
    const source = await sealedSource();
    const expected = pairsOf(source);
    await source.close();
    await using reader = await read();
    const before = disk.openDescriptorCount;
    for (const step of mergeSteps(disk, DIRECTORY, 2, 5)) {
      await using opened = await read();
      expect(pairsOf(opened), step).toEqual(expected);
      expect((await opened.verify()).damages, step).toEqual([]);
      await reader.refresh();
      expect(pairsOf(reader), step).toEqual(expected);
    }
    await reader.refresh();
    expect(disk.openDescriptorCount).toBeLessThanOrEqual(before + reader.size);
    expect(await reader.verify()).toMatchObject({ damages: [] });
    await reader.close();
    await expect(reader.refresh()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  test('never takes a merge between two of its calls for damage', async () => {
    const source = await sealedSource();
    const expected = pairsOf(source);
    await source.close();
    const whole = disk;
    for (const refresh of [false, true]) {
      for (let step = 0, done = false; !done; step++) {
        disk = whole.afterProcessDeath();
        let callsLeft = Number.POSITIVE_INFINITY;
        const steps = mergeSteps(disk, DIRECTORY, 2, 5);
        const fileSystem = intercept(disk, (call) => {
          if (callsLeft-- <= 0) steps.next();
          return call.proceed();
        });
        if (!refresh) callsLeft = step;
        const reader = await read(fileSystem);
        if (refresh) {
          callsLeft = step;
          await reader.refresh();
        }
        done = callsLeft > 0;
        callsLeft = Number.POSITIVE_INFINITY;
        for (const _ of steps);
        await reader.refresh();
        expect(pairsOf(reader), `step ${step}`).toEqual(expected);
        await reader.close();
      }
    }
  });

  test('says so when segments are replaced faster than they are read', async () => {
    await (await sealedSource()).close();
    const fileSystem = intercept(disk, (call) => {
      const result = call.proceed();
      const path = segmentPath(DIRECTORY, 3);
      if (call.method === 'readAsync' || call.method === 'read')
        disk.writeFile(path, disk.readFile(path));
      return result;
    });
    await expect(read(fileSystem)).rejects.toMatchObject({ code: 'SNAPSHOT_GONE' });
  });

  test('still says what is damaged', async () => {
    await (await sealedSource()).close();
    disk.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.subarray(0, bytes.length - 1));
    await expect(read()).rejects.toMatchObject({ code: 'STORE_CORRUPT', segmentId: 2 });
  });
});

/** Pulls from a feed until it has nothing for a moment, or ends. */
class Feed {
  readonly records: string[] = [];
  error: { code?: string; firstTxid?: number; lastTxid?: number } | undefined;
  private readonly iterator: AsyncIterator<ScannedRecord>;
  private pending: Promise<IteratorResult<ScannedRecord>> | undefined;
  private readonly controller = new AbortController();

  constructor(reader: StoreReader, options: FollowOptions = {}) {
    this.iterator = reader.follow({
      pollIntervalMs: 1,
      signal: this.controller.signal,
      ...options,
    });
  }

  /** Waits until `count` records have come, or the feed has failed. */
  async take(count: number): Promise<void> {
    while (this.records.length < count && this.error === undefined) {
      try {
        const { value } = await this.iterator.next();
        this.records.push(told(value));
      } catch (error) {
        this.error = error as NonNullable<typeof this.error>;
      }
    }
  }

  /** Lets it look again at least once, with nothing to come. */
  async expectNothing(): Promise<void> {
    this.pending ??= this.iterator.next();
    const first = await Promise.race([
      this.pending.then(
        () => 'something',
        () => 'an error',
      ),
      new Promise((resolve) => setTimeout(resolve, 5, 'nothing')),
    ]);
    expect(first).toBe('nothing');
  }

  /** What `expectNothing` waits for. */
  async arrival(): Promise<string> {
    const result = await (this.pending as Promise<IteratorResult<ScannedRecord>>);
    this.pending = undefined;
    return told(result.value);
  }

  async end(): Promise<void> {
    this.controller.abort();
    await this.pending?.catch(() => {});
    await this.iterator.return?.();
  }
}

/** A store whose every record is remembered, and one feed of it. */
class FollowedStore {
  private store!: Store;
  private reader!: StoreReader;
  private feed!: Feed;
  private fromTxid = 1;
  private readonly history: string[] = [];

  static async create(fromTxid: number): Promise<FollowedStore> {
    disk = new MemoryFileSystem();
    const followed = new FollowedStore();
    followed.store = await openSource();
    followed.write(0, 1);
    followed.reader = await read();
    followed.fromTxid = fromTxid;
    followed.feed = new Feed(followed.reader, { fromTxid });
    return followed;
  }

  write(key: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const { nextTxid } = this.store.end;
      const isDelete = index % 4 === 3;
      if (isDelete) this.store.delete(`key-${key}`);
      else this.store.put(`key-${key}`, `value ${nextTxid}`);
      this.history.push(
        `${nextTxid} ${isDelete ? `2 key-${key} ` : `1 key-${key} value ${nextTxid}`}`,
      );
    }
  }

  async pull(count: number): Promise<void> {
    await this.feed.take(Math.min(this.feed.records.length + count, this.wanted.length));
  }

  /** Merges while nobody writes, because a writer must know of it. */
  async reopen(merge?: { from: number; length: number; pulls: number[] }): Promise<void> {
    await this.store.close();
    // What was absorbed is not merged once more.
    const ids = segmentIds(disk.list(DIRECTORY))
      .slice(0, -1)
      .filter((id) => disk.stat(segmentPath(DIRECTORY, id))?.sizeBytes !== 0);
    if (merge !== undefined && ids.length > 0) {
      const run = ids.slice(merge.from % ids.length).slice(0, merge.length + 1);
      const isSealed = run.every((id) => disk.stat(sealPath(DIRECTORY, id)) !== undefined);
      const pulls = merge.pulls.values();
      if (isSealed) {
        for (const _ of mergeSteps(disk, DIRECTORY, run[0] as number, run.at(-1) as number))
          await this.pull(pulls.next().value ?? 0);
      }
    }
    this.store = await openSource();
  }

  /** The first txid that the feed was told is gone, or undefined when it has come to the end. */
  async check(): Promise<number | undefined> {
    const { feed, wanted } = this;
    await feed.take(wanted.length);
    const got = feed.records.length;
    expect(feed.records).toEqual(wanted.slice(0, got));
    const missed = this.fromTxid + got;
    if (feed.error !== undefined) {
      expect(feed.error).toMatchObject({ code: 'SNAPSHOT_GONE', firstTxid: missed });
      expect([...this.store.scan()].map(({ txid }) => txid)).not.toContain(missed);
    }
    await feed.end();
    await this.reader.close();
    await this.store.close();
    return feed.error === undefined ? undefined : missed;
  }

  private get wanted(): string[] {
    return this.history.slice(this.fromTxid - 1);
  }
}

describe('the report of a reader', () => {
  test('says what was read, and what follows the end of the valid log', async () => {
    const store = await sealedSource();
    const { segments, sealedBytes, activeBytes } = store.stats();
    const records = everything(store).length;
    const { end } = store;
    await using whole = await read();
    expect(whole.recoveryReport).toMatchObject({
      outcome: 'whole',
      durableMark: { ...end, witnessed: true },
      segmentsScanned: 1,
      segmentsFromSeals: segments - 1,
      recordsKept: records,
      bytesKept: sealedBytes + activeBytes,
      ignored: [],
      notes: [],
    });
    disk.mutate(segmentPath(DIRECTORY, end.segmentId), (bytes) =>
      Buffer.concat([bytes, Buffer.alloc(7, 1)]),
    );
    disk.mutate(sealPath(DIRECTORY, 1), (bytes) => bytes.fill(0, 4, 8));
    await using unfinished = await read();
    const { segmentId, offset } = end;
    expect(unfinished.recoveryReport).toMatchObject({
      outcome: 'unfinished',
      recordsKept: records,
      ignored: [{ segmentId, offset, byteLength: 7, damage: 'truncated' }],
      notes: ['00000001.seal was damaged and ignored'],
    });
  });
});

describe('an export', () => {
  test('of a reader is that of its store, as a file and as lines', async () => {
    await using store = await sealedSource();
    await using reader = await read();
    await store.exportJsonl('/of-the-store');
    await reader.exportJsonl('/of-the-reader');
    const text = disk.readFile('/of-the-store').toString();
    expect(text.split('\n')).toHaveLength(store.size + 1);
    expect(disk.readFile('/of-the-reader').toString()).toBe(text);
    let lines = '';
    for await (const some of reader.exportLines()) lines += some;
    expect(lines).toBe(text);
  });

  test('that its signal ends leaves nothing behind, and the file that was there', async () => {
    await using store = await openSource();
    for (let key = 0; key < 40; key++) store.put(`key-${key}`, Buffer.alloc(20_000, key));
    disk.writeFile('/target', Buffer.from('before'));
    const before = disk.list('/').sort();
    const ending = new AbortController();
    const reason = Object.assign(new Error('enough'), { code: 'ENOENT' });
    const seen: number[] = [];
    const onProgress = (doneBytes: number, totalBytes: number) => {
      expect(totalBytes).toBe(store.stats().liveBytes);
      seen.push(doneBytes);
      ending.abort(reason);
    };
    await expect(store.exportJsonl('/target', { onProgress, signal: ending.signal })).rejects.toBe(
      reason,
    );
    expect(seen).toHaveLength(1);
    await expect(store.exportJsonl('/target', { signal: ending.signal })).rejects.toBe(reason);
    expect(disk.list('/').sort()).toEqual(before);
    expect(disk.readFile('/target').toString()).toBe('before');
    expect(disk.openDescriptorCount).toBe(store.stats().openDescriptors);
  });
});

describe('a reader that follows', () => {
  test('gives every record once, in log order, from any txid on, as they are appended', async () => {
    await using store = await sealedSource();
    await using reader = await read();
    const feed = new Feed(reader);
    const all = new Feed(reader, { fromTxid: 1 });
    const some = new Feed(reader, { fromTxid: 20 });
    const then = everything(store).length;
    for (let round = 10; round < 20; round++) {
      fill(store, round);
      const now = everything(store);
      await feed.take(now.length - then);
      expect(feed.records).toEqual(now.slice(then));
      await all.take(now.length);
      expect(all.records).toEqual(now);
      await some.take(now.length - 19);
      expect(some.records).toEqual(now.slice(19));
    }
    const late = new Feed(reader, { fromTxid: store.end.nextTxid + 2 });
    await late.expectNothing();
    fill(store, 30);
    expect(await late.arrival()).toBe(everything(store).at(-7));
    for (const one of [feed, all, some, late]) await one.end();
    expect(() => reader.follow({ fromTxid: 0 })).toThrow(RangeError);
    expect(() => reader.follow({ pollIntervalMs: 0 })).toThrow(RangeError);
  });

  test('waits for an unfinished end, and calls it damage only when the log has gone on behind it', async () => {
    const store = await openSource();
    store.put('a', '1');
    await using reader = await read();
    const feed = new Feed(reader);
    const { segmentId, offset, nextTxid } = store.end;
    await store.close();
    const frame = Buffer.alloc(frameBytes(3, 5));
    encodeFrame(frame, 0, RecordType.Put, nextTxid, Buffer.from('key'), Buffer.from('value'));
    const path = segmentPath(DIRECTORY, segmentId);
    const write = (bytes: Buffer) =>
      disk.mutate(path, (before) => Buffer.concat([before.subarray(0, offset), bytes]));
    for (const bytes of [1, 23, 24, frame.length - 1]) {
      write(frame.subarray(0, bytes));
      await feed.expectNothing();
    }
    write(Buffer.alloc(frame.length));
    await feed.expectNothing();
    write(frame);
    expect(await feed.arrival()).toBe(`${nextTxid} 1 key value`);
    const torn = Buffer.concat([frame, Buffer.alloc(30, 1)]);
    write(torn);
    await feed.expectNothing();
    write(Buffer.concat([torn, frame]));
    await expect(feed.arrival()).rejects.toMatchObject({ code: 'FRAME_MISMATCH', segmentId });
    await feed.end();
  });

  test('goes on over an opening that was not clean, which leaves out txids where nothing is gone', async () => {
    let store = await sealedSource();
    await using reader = await read();
    const feeds = [new Feed(reader), new Feed(reader, { fromTxid: 1 })];
    const already = everything(store).length;
    for (let crash = 0; crash < 3; crash++) {
      fill(store, crash);
      forgetWriter();
      const before = store.end.nextTxid;
      store = await openSource();
      expect(store.end.nextTxid).toBeGreaterThanOrEqual(before + TXID_JUMP - 1);
      fill(store, crash);
    }
    const now = everything(store);
    await feeds[0]?.take(now.length - already);
    await feeds[1]?.take(now.length);
    expect(feeds[0]).toMatchObject({ records: now.slice(already), error: undefined });
    expect(feeds[1]).toMatchObject({ records: now, error: undefined });
    for (const feed of feeds) await feed.end();
  });

  test('knows a segment that was sealed with nothing in it from one that a merge has emptied', async () => {
    const killed = await sealedSource();
    killed.rotate();
    forgetWriter();
    const empty = await openSource();
    const { segmentId, offset } = empty.end;
    expect(offset).toBe(0);
    empty.rotate();
    empty.put('behind', 'what the opening left out');
    await empty.close();
    expect(disk.stat(sealPath(DIRECTORY, segmentId))).toBeDefined();
    await using store = await openSource();
    await using reader = await read();
    const feed = new Feed(reader, { fromTxid: 1 });
    const all = everything(store);
    await feed.take(all.length);
    expect(feed).toMatchObject({ records: all, error: undefined });
    await feed.end();
  });

  test('is told which txids are gone when a merge has overtaken it', async () => {
    const store = await sealedSource();
    const all = everything(store);
    await store.close();
    await using reader = await read();
    const feed = new Feed(reader, { fromTxid: 1 });
    await feed.take(2);
    const ahead = new Feed(reader, { fromTxid: all.length - 3 });
    await ahead.take(1);
    mergeByHand(disk, DIRECTORY, 2, 4);
    await feed.take(all.length);
    const got = feed.records.length;
    expect(feed.records).toEqual(all.slice(0, got));
    expect(feed.error).toMatchObject({ code: 'SNAPSHOT_GONE', firstTxid: got + 1 });
    expect(feed.error?.lastTxid).toBeGreaterThan(got);
    await ahead.take(4);
    expect(ahead.records).toEqual(all.slice(-4));
    const late = new Feed(reader, { fromTxid: 1 });
    await late.take(all.length);
    expect(late.error).toMatchObject({ code: 'SNAPSHOT_GONE', firstTxid: got + 1 });
    for (const one of [feed, ahead, late]) await one.end();
  });

  test('sees all of it or is told of a hole, whatever is merged, and at whatever step it looks', async () => {
    const count = fc.nat(9);
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('write' as const), key: fc.nat(5), count }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('pull' as const), count: fc.nat(30) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('merge' as const),
          from: count,
          length: fc.nat(3),
          pulls: fc.array(count),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
    );
    const actions = fc.array(action, { minLength: 10, maxLength: 40 });
    const seen = { whole: 0, gone: 0 };
    await fc.assert(
      fc.asyncProperty(actions, fc.integer({ min: 1, max: 30 }), async (steps, fromTxid) => {
        const run = await FollowedStore.create(fromTxid);
        for (const step of steps) {
          if (step.kind === 'write') run.write(step.key, step.count);
          else if (step.kind === 'pull') await run.pull(step.count);
          else await run.reopen(step.kind === 'merge' ? step : undefined);
        }
        const missed = await run.check();
        if (missed === undefined) seen.whole++;
        else seen.gone++;
      }),
      { numRuns: 200 },
    );
    expect(seen.whole).toBeGreaterThan(20);
    expect(seen.gone).toBeGreaterThan(5);
  });

  test('ends with the reason of its signal, with the reader, and with a loop that is left, holding nothing open', async () => {
    await using store = await sealedSource();
    const reader = await read();
    const before = disk.openDescriptorCount;
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = reader.follow({ signal: controller.signal, pollIntervalMs: 60_000 }).next();
    setTimeout(() => controller.abort(reason), 2);
    await expect(waiting).rejects.toBe(reason);
    for await (const { txid } of reader.follow({ fromTxid: 1 })) if (txid === 3) break;
    expect(disk.openDescriptorCount).toBe(before);
    const orphan = reader.follow({ pollIntervalMs: 1 }).next();
    await reader.close();
    await expect(orphan).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    fill(store, 9);
  });
});

describe('a reader without keys', () => {
  test('gives the same records, and says that it has no keys', async () => {
    await using store = await sealedSource();
    await using whole = await read();
    await using reader = await openReader(DIRECTORY, { fileSystem: disk, keys: false });
    expect(reader.size).toBe(0);
    expect([...reader.scan()].map(told)).toEqual(everything(store));
    expect(reader.lastTxid).toBe(whole.lastTxid);
    const misuse = [
      () => reader.get('key-1'),
      () => reader.has('key-1'),
      () => reader.keys(),
      () => reader.refOf('key-1'),
      () => [...reader.entries()],
    ];
    for (const call of misuse) expect(call).toThrow(TypeError);
    await expect(reader.verify()).rejects.toThrow(TypeError);
    await expect(reader.refresh()).rejects.toThrow(TypeError);
    await expect(openReader(DIRECTORY, { fileSystem: disk, keys: 1 as never })).rejects.toThrow(
      TypeError,
    );
  });

  test('follows what is appended', async () => {
    await using store = await sealedSource();
    await using reader = await openReader(DIRECTORY, { fileSystem: disk, keys: false });
    store.put('new', 'record');
    for await (const record of reader.follow()) {
      expect(told(record)).toMatch(/ new record$/);
      break;
    }
  });

  test('scans from a segment on', async () => {
    await using store = await sealedSource();
    await using reader = await read();
    const from = (reader.refOf('key-1') as { segmentId: number }).segmentId;
    expect([...reader.scan(from)].map(told)).toEqual(
      [...store.scan()].filter(({ ref }) => ref.segmentId >= from).map(told),
    );
  });
});
