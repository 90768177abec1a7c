import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { decodeFrame, encodeFrame, frameBytes } from '../../src/engine/format/frame.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  openReader,
  type Probe,
  type Store,
  StoreError,
  type VerifyReport,
} from '../../src/engine/index.ts';
import type { Keydir } from '../../src/engine/keydir/keydir.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

const SEGMENT_BYTES = 400;

let disk: MemoryFileSystem;

beforeEach(() => {
  disk = new MemoryFileSystem();
});

function openSmall(probe?: Probe): Promise<Store> {
  const options = { segmentBytes: SEGMENT_BYTES, ...(probe === undefined ? {} : { probe }) };
  return open(disk, options);
}

/** Overwrites, deletes, deletes of absent keys, over a dozen segments. */
function fill(store: Store, rounds = 12, from = 0): void {
  for (let round = from; round < from + rounds; round++) {
    for (let key = 0; key < 8; key++) store.put(`key-${key}`, `value ${key} of round ${round}`);
    store.delete(`key-${round % 8}`);
    store.put(`once-${round}`, 'x'.repeat(round));
    store.delete('never there');
  }
}

/** Closed once, so that every segment but the last has its seal. */
async function filledStore(): Promise<Store> {
  const writer = await openSmall();
  fill(writer);
  await writer.close();
  return openSmall();
}

/** Changes the value of the first record, so that it is valid all the same. */
function rewriteFirst(segment: Buffer): undefined {
  const decoded = decodeFrame(segment);
  if (!decoded.ok) throw new Error(decoded.fault);
  const { type, txid, key, payload } = decoded.record;
  encodeFrame(segment, 0, type, txid, Buffer.from(key), Buffer.alloc(payload.length, '!'));
}

const keydirOf = (store: Store) => (store as unknown as { keydir: Keydir }).keydir;

function brokenKeys(store: Store): string[] {
  return [...store.keys()]
    .filter((key) => {
      try {
        store.get(key);
        return false;
      } catch {
        return true;
      }
    })
    .map(String)
    .sort();
}

const hitKeys = (report: VerifyReport) =>
  report.damages
    .flatMap(({ liveKeys }) => liveKeys.map((key) => Buffer.from(key).toString()))
    .sort();
const faults = (report: VerifyReport) => report.damages.map(({ what }) => what);

describe('a scrub', () => {
  test('of a sound store finds nothing, having read everything', async () => {
    await using store = await filledStore();
    fill(store, 1, 12);
    const progress: [number, number][] = [];
    const report = await store.verify({
      onProgress: (scanned, total) => progress.push([scanned, total]),
    });
    const { segments, sealedBytes, activeBytes } = store.stats();
    expect(report).toMatchObject({ damages: [], damageCount: 0, segments });
    expect(report.records).toBe([...store.scan()].length);
    expect(report.scannedBytes).toBe(sealedBytes + activeBytes);
    expect(report.seals).toBeGreaterThan(5);
    expect(progress.at(-1)).toEqual([report.scannedBytes, report.scannedBytes]);
  });

  test('finds any flipped byte, and names exactly the live keys that can no longer be read', async () => {
    await (await filledStore()).close();
    const whole = disk;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (segment, place, flip) => {
          disk = whole.afterProcessDeath();
          await using store = await openSmall();
          const sealed = store.stats().segments - 1;
          const segmentId = 1 + (segment % sealed);
          let flipped = 0;
          disk.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => {
            flipped = place % bytes.length;
            bytes[flipped] = (bytes[flipped] as number) ^ flip;
            return undefined;
          });
          const report = await store.verify();
          const covering = report.damages.filter(
            ({ offset, byteLength }) => offset <= flipped && flipped < offset + byteLength,
          );
          expect(covering).toHaveLength(1);
          expect(covering[0]).toMatchObject({ segmentId });
          expect(report.damageCount).toBe(1);
          expect(hitKeys(report)).toEqual(brokenKeys(store));
        },
      ),
      // The example: a damaged key length claims the whole record behind it.
      { numRuns: 200, examples: [[150228181, 973043826, 47]] },
    );
  });

  test('goes on behind damage, past a segment that is gone, one that is cut and one that is another', async () => {
    await using store = await filledStore();
    disk.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.fill(0, 0, 1));
    disk.mutate(segmentPath(DIRECTORY, 3), (bytes) => bytes.subarray(0, bytes.length - 1));
    disk.remove(segmentPath(DIRECTORY, 4));
    disk.mutate(segmentPath(DIRECTORY, 5), rewriteFirst);
    disk.mutate(sealPath(DIRECTORY, 7), (bytes) => bytes.fill(7, 20, 30));
    disk.mutate(segmentPath(DIRECTORY, 8), (bytes) => bytes.fill(0, 100, 101));
    const report = await store.verify();
    const inSegment = (id: number) =>
      report.damages.filter(({ segmentId }) => segmentId === id).map(({ what }) => what);
    expect(inSegment(1)).toEqual([]);
    expect(inSegment(2)).toEqual(['bad-magic']);
    expect(inSegment(3)).toContain('segment-too-short');
    expect(inSegment(4)).toEqual(['missing-segment']);
    expect(inSegment(5)).toEqual(['contradicts-seal']);
    expect(inSegment(7)).toEqual(['damaged-seal']);
    expect(inSegment(8)).toHaveLength(1);
    expect(inSegment(9)).toEqual([]);
    for (const key of brokenKeys(store)) expect(hitKeys(report)).toContain(key);
  });

  test('does not take frames inside a damaged value for records', async () => {
    await using store = await openSmall();
    const inner = Buffer.alloc(frameBytes(1, 1));
    encodeFrame(inner, 0, 1, 999, Buffer.from('k'), Buffer.from('v'));
    const { segmentId, offset, byteLength } = store.put('outer', Buffer.concat([inner, inner]));
    store.put('after', 'value');
    disk.mutate(segmentPath(DIRECTORY, segmentId), (bytes) =>
      bytes.fill(1, offset + byteLength - 1, offset + byteLength),
    );
    const report = await store.verify();
    expect(report.records).toBe(1);
    expect(report.damages).toMatchObject([
      { offset, byteLength, what: 'crc-mismatch', liveKeyCount: 1 },
    ]);
  });

  test('tells of a keydir that does not agree with the log', async () => {
    await using store = await openSmall();
    store.put('old', '1');
    const old = store.refOf('old');
    store.put('old', '2');
    store.put('lost', '3');
    store.put('gone', '4');
    const gone = store.refOf('gone');
    store.delete('gone');
    store.put('far', '5');
    const keydir = keydirOf(store);
    keydir.set(Buffer.from('old'), old as NonNullable<typeof old>);
    keydir.set(Buffer.from('gone'), gone as NonNullable<typeof gone>);
    keydir.set(Buffer.from('invented'), { segmentId: 1, offset: 28, byteLength: 30 });
    keydir.delete(Buffer.from('lost'), { segmentId: 1, offset: 0, byteLength: 30 });
    const report = await store.verify();
    const found = report.damages
      .map(({ what, liveKeys }) => `${what} ${liveKeys.map(String)}`)
      .sort();
    expect(found).toEqual([
      'keydir-dangling invented',
      'keydir-missing lost',
      'keydir-stale gone',
      'keydir-stale old',
    ]);
  });

  test('finds nothing wrong while others write, rotate and delete', async () => {
    await using store = await filledStore();
    let round = 20;
    const report = await store.verify({
      onProgress: () => {
        for (let times = 0; times < 3; times++) fill(store, 1, round++);
        for (const key of [...store.keys()].slice(0, 3)) store.delete(key);
      },
    });
    expect(round).toBeGreaterThan(25);
    expect(faults(report)).toEqual([]);
  });

  test('reads a snapshot as well, and says when that is gone', async () => {
    await using store = await filledStore();
    await using reader = await openReader(DIRECTORY, { fileSystem: disk });
    fill(store, 2, 30);
    expect(faults(await reader.verify())).toEqual([]);
    disk.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.fill(0, 0, 1));
    const damaged = await reader.verify();
    expect(faults(damaged)).toEqual(['bad-magic']);
    expect(hitKeys(damaged)).toEqual(
      [...reader.keys()]
        .filter((key) => reader.refOf(key)?.segmentId === 2 && reader.refOf(key)?.offset === 0)
        .map(String),
    );
    disk.writeFile(segmentPath(DIRECTORY, 3), disk.readFile(segmentPath(DIRECTORY, 3)));
    await expect(reader.verify()).rejects.toMatchObject({ code: 'SNAPSHOT_GONE' });
  });

  test('ends when it is told to, and when the store is closed, and gives back what it held open', async () => {
    const store = await filledStore();
    const before = disk.openDescriptorCount;
    const controller = new AbortController();
    const reason = new Error('enough');
    const ending = store.verify({
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(ending).rejects.toBe(reason);
    await expect(store.verify({ signal: controller.signal })).rejects.toBe(reason);
    const waiting = new AbortController();
    const slow = store.verify({ bytesPerSecond: 1, signal: waiting.signal });
    setTimeout(() => waiting.abort(reason), 5);
    await expect(slow).rejects.toBe(reason);
    expect(disk.openDescriptorCount).toBe(before);
    let closing: Promise<void> | undefined;
    const closed = store.verify({
      onProgress: () => {
        closing ??= store.close();
      },
    });
    await expect(closed).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await closing;
    await expect(store.verify()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await expect(store.verify({ bytesPerSecond: 0 })).rejects.toThrow();
  });

  test('takes its time when it is told to', async () => {
    await using store = await filledStore();
    const { sealedBytes, activeBytes } = store.stats();
    const report = await store.verify({ bytesPerSecond: (sealedBytes + activeBytes) * 20 });
    expect(report.durationNs).toBeGreaterThan(45e6);
  });

  test('is one operation for the probe, which hears of every read and all damage', async () => {
    const events: string[] = [];
    let bytes = 0;
    const probe: Probe = {
      began: (_operation, kind) => {
        if (kind === 'verify') events.push('began');
        return false;
      },
      read: (_operation, site, _segmentId, _offset, sizeBytes) => {
        if (site === 'verify') bytes += sizeBytes;
      },
      event: (event) => {
        if (event.kind === 'corrupted') events.push(event.error.code);
        if (event.kind !== 'verify') return;
        const { outcome, records, scannedBytes, damagedRanges, error } = event;
        events.push(
          `${outcome} ${records > 0} ${scannedBytes <= bytes} ${damagedRanges} ${error?.code}`,
        );
      },
    };
    await using store = await openSmall(probe);
    fill(store);
    await store.verify();
    disk.mutate(segmentPath(DIRECTORY, 2), (content) => content.fill(0xff, 60, 61));
    await store.verify();
    await store.verify({ signal: AbortSignal.abort() }).catch(() => {});
    expect(events).toEqual([
      'began',
      'ok true true 0 undefined',
      'began',
      'CRC_MISMATCH',
      'damaged true true 1 undefined',
    ]);
  });

  test.each(['its signal', 'a close'])(
    'that %s ends was aborted, and did not fail',
    async (what) => {
      const ended: unknown[] = [];
      const probe: Probe = {
        event: (event) => {
          if (event.kind === 'verify') ended.push(event.outcome, event.error);
        },
      };
      const store = await openSmall(probe);
      fill(store, 2);
      const ending = new AbortController();
      const onProgress = () => (what === 'a close' ? void store.close() : ending.abort());
      await expect(store.verify({ signal: ending.signal, onProgress })).rejects.toThrow();
      await store.close();
      expect(ended).toEqual(['aborted', undefined]);
    },
  );

  test('reports a device that does not give the bytes, and goes on', async () => {
    await using store = await openSmall();
    fill(store, 2);
    const { read } = disk;
    disk.read = (descriptor, buffer, offset, length, position) => {
      if (length > 100 && position < 50 && position + length > 50)
        throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
      return read.call(disk, descriptor, buffer, offset, length, position);
    };
    const report = await store.verify();
    disk.read = read;
    expect(faults(report)).toContain('unreadable');
    expect(report.damages[0]).toBeDefined();
    expect(report.damages).not.toContainEqual(expect.any(StoreError));
  });
});
