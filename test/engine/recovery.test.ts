import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIXTURES } from '../../harness/corpus/corpus.ts';
import { intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { encodeHeader } from '../../src/engine/format/frame.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openReader, type Store } from '../../src/engine/index.ts';
import { TXID_JUMP } from '../../src/engine/recovery/log-opening.ts';
import {
  DIRECTORY,
  discardingFixtures,
  everyFile,
  fixture,
  open,
  QUARANTINE,
  segmentsOf,
  txidsIn,
} from './store-in-memory.ts';

const refusing = FIXTURES.filter(({ expected }) => !('livePairs' in expected)).map(
  ({ name }) => name,
);

describe('what recovery refuses', () => {
  test.each(refusing)(
    '%s: is refused time after time, and its segments stay as they are',
    async (name) => {
      const fileSystem = await fixture(name);
      const before = segmentsOf(fileSystem);
      const refusal = await open(fileSystem).catch((error: unknown) => error);
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(open(fileSystem)).rejects.toEqual(refusal);
        await expect(open(fileSystem, { recovery: 'strict' })).rejects.toEqual(refusal);
      }
      expect(segmentsOf(fileSystem)).toEqual(before);
      expect(fileSystem.stat(QUARANTINE)).toBeUndefined();
      expect(fileSystem.openDescriptorCount).toBe(0);
    },
  );

  test('corruption is refused with its place, its reason and the commands that look at it and rescue', async () => {
    const refusal = open(await fixture('own/records_behind_a_tear'));
    await expect(refusal).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      path: DIRECTORY,
      segmentId: 1,
      offset: 64,
      reason: 'crc-mismatch',
      message: expect.stringMatching(/hexdump \/store 00000001\.dwal:64.*salvage \/store/),
    });
  });

  test.each(discardingFixtures)(
    '%s: a strict opening refuses the torn tail, however often, and loses no evidence',
    async (name) => {
      const fileSystem = await fixture(name);
      const before = segmentsOf(fileSystem);
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(open(fileSystem, { recovery: 'strict' })).rejects.toMatchObject({
          code: 'TORN_TAIL',
        });
        expect(segmentsOf(fileSystem)).toEqual(before);
      }
      expect(fileSystem.stat(QUARANTINE)).toBeUndefined();
      // Refusing wrote the lock file thrice; what it proved about the mark must have outlived that.
      const { recoveryReport } = await open(fileSystem);
      const { recoveryReport: atOnce } = await open(await fixture(name));
      expect({ ...recoveryReport, durationNs: 0 }).toEqual({ ...atOnce, durationNs: 0 });
    },
  );
});

describe('an ambiguous tail', () => {
  const ambiguous = FIXTURES.filter(({ expected }) => expected.outcome === 'AMBIGUOUS_TAIL');

  test.each(ambiguous)(
    '$name: is cut off into quarantine when that was asked for',
    async ({ name, expected }) => {
      const fileSystem = await fixture(name);
      const { segmentId, offset } = expected as { segmentId: number; offset: number };
      const bytes = fileSystem.readFile(segmentPath(DIRECTORY, segmentId));
      const store = await open(fileSystem, { acceptAmbiguousTail: true });
      const [range] = store.recoveryReport.discarded;
      expect(range).toMatchObject({ segmentId, offset, byteLength: bytes.length - offset });
      expect(fileSystem.readFile(range?.quarantinePath as string)).toEqual(bytes.subarray(offset));
      expect(store.end).toMatchObject({ segmentId, offset });
      store.put('after', 'the tear');
      await store.close();
      const again = await open(fileSystem);
      expect(String(again.get('after'))).toBe('the tear');
      await again.close();
    },
  );

  test('is refused by a strict opening even when it was accepted', async () => {
    const fileSystem = await fixture('own/damaged_length_hides_records');
    const options = { acceptAmbiguousTail: true, recovery: 'strict' } as const;
    await expect(open(fileSystem, options)).rejects.toMatchObject({ code: 'TORN_TAIL' });
  });
});

describe('txids after an opening that was not clean', () => {
  test('the next one is 2^20 past everything seen, quarantined or marked', async () => {
    const tooLow: string[] = [];
    for (const { name, expected } of FIXTURES) {
      if (expected.outcome !== 'recovered' && expected.outcome !== 'AMBIGUOUS_TAIL') continue;
      const fileSystem = await fixture(name);
      const seen = Object.values(segmentsOf(fileSystem)).flatMap((hex) =>
        txidsIn(Buffer.from(hex, 'hex')),
      );
      const { recoveryReport, end } = await open(fileSystem, { acceptAmbiguousTail: true });
      expect(recoveryReport.nextTxid).toBe(end.nextTxid);
      const least = Math.max(...seen, (recoveryReport.durableMark?.nextTxid ?? 1) - 1) + TXID_JUMP;
      if (end.nextTxid < least)
        tooLow.push(`${name}: ${end.nextTxid} instead of at least ${least}`);
    }
    expect(tooLow).toEqual([]);
  });

  test('a clean opening leaves no gap', async () => {
    const store = await open(await fixture('own/closed_in_order'));
    expect(store.recoveryReport).toMatchObject({
      outcome: 'clean',
      nextTxid: 10,
      bytesRewritten: 0,
    });
    await store.close();
  });
});

describe('a damaged durable mark', () => {
  test('leaves the other slot to judge by, with a note', async () => {
    const { recoveryReport } = await open(await fixture('own/newest_mark_damaged'));
    expect(recoveryReport.durableMark).toEqual({
      segmentId: 1,
      offset: 64,
      nextTxid: 3,
      witnessed: true,
    });
    expect(recoveryReport.notes).toEqual([
      expect.stringContaining('1 of the two slots of durable-mark'),
    ]);
  });

  test('any bytes whatever in the sidecars of a whole log lose nothing of it', async () => {
    const sidecar = fc.uint8Array({ maxLength: 9000 });
    await fc.assert(
      fc.asyncProperty(sidecar, sidecar, async (mark, lock) => {
        const fileSystem = await fixture('own/killed_after_a_sync');
        fileSystem.writeFile(join(DIRECTORY, 'durable-mark'), mark);
        fileSystem.writeFile(join(DIRECTORY, '.lock'), lock);
        const store = await open(fileSystem);
        expect(store.size).toBe(9);
        await store.close();
        expect((await open(fileSystem)).recoveryReport).toMatchObject({
          outcome: 'clean',
          notes: [],
        });
      }),
      { numRuns: 50 },
    );
  });
});

describe('what only looks like a segment', () => {
  test('directories and files with almost the right name are left alone, and nothing is read from them', async () => {
    const fileSystem = await fixture('own/files_that_are_no_segments');
    fileSystem.makeDirectory(segmentPath(DIRECTORY, 7));
    fileSystem.writeFile(join(segmentPath(DIRECTORY, 7), 'inside'), Buffer.from('kept'));
    const others = () =>
      Object.entries(everyFile(fileSystem)).filter(
        ([path]) => !/00000001\.dwal$|\.lock|durable-mark/.test(path),
      );
    const before = others();
    const store = await open(fileSystem);
    expect(store.size).toBe(3);
    expect(store.recoveryReport.segmentsScanned).toBe(1);
    store.put('k4', 'v4');
    store.rotate();
    store.put('k5', 'v5');
    await store.close();
    expect(others()).toEqual(expect.arrayContaining(before));
    expect((await open(fileSystem)).size).toBe(5);
  });
});

describe('opening read-only', () => {
  test.each(FIXTURES.map(({ name }) => name))(
    '%s: changes nothing on disk and takes no lock',
    async (name) => {
      const fileSystem = await fixture(name);
      const before = everyFile(fileSystem);
      const changes: string[] = [];
      const watched = intercept(fileSystem, (call) => {
        if (isChange(call) || call.method === 'tryLock' || call.args[1] === 'write')
          changes.push(call.method);
        return call.proceed();
      });
      await openReader(DIRECTORY, { fileSystem: watched }).then(
        async (reader) => {
          expect([...reader.entries()]).toHaveLength(reader.size);
          await reader.close();
        },
        (error: unknown) => expect(error).toHaveProperty('code'),
      );
      expect(changes).toEqual([]);
      expect(everyFile(fileSystem)).toEqual(before);
      expect(fileSystem.openDescriptorCount).toBe(0);
    },
  );
});

describe('a hostile log', () => {
  const sizeBytes = 1024 * 1024;

  /** Headers one behind the other, each claiming a payload of that length. */
  function headers(payloadBytes: number): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    const view = new DataView(bytes.buffer);
    for (let at = 0, txid = 1; at + 24 <= sizeBytes; at += 24) {
      encodeHeader(view, at, 1, txid++, 0, payloadBytes);
    }
    return bytes;
  }

  test.each([
    ['more than the file', 60 * 1024 * 1024],
    ['most of the file', 1_000_000],
    ['half of the file', 500_000],
    ['a little', 5_000],
    ['nothing', 0],
  ])(
    'of headers that each claim %s is judged after a bounded number of bytes',
    async (_claim, payloadBytes) => {
      const fileSystem = new MemoryFileSystem();
      fileSystem.makeDirectory(DIRECTORY);
      fileSystem.writeFile(segmentPath(DIRECTORY, 1), headers(payloadBytes));
      let readBytes = 0;
      const watched = intercept(fileSystem, ({ method, proceed }) => {
        const result = proceed();
        if (method === 'read') readBytes += result as number;
        return result;
      });
      const outcome = await open(watched).catch((error: unknown) => error);
      expect(readBytes).toBeLessThan(50 * sizeBytes);
      // Nothing in it was ever a record: it may be refused, or cut off into quarantine, but never
      // be read.
      if (!(outcome instanceof Error)) expect((outcome as Store).size).toBe(0);
    },
  );
});

describe('what an earlier process had begun and did not finish', () => {
  test.each(['.seal.tmp', '.merge.tmp', '.merge-tmp'])(
    'a %s is removed, with a line in the report',
    async (ending) => {
      const fileSystem = new MemoryFileSystem();
      const store = await open(fileSystem);
      store.put('k1', 'v1');
      store.rotate();
      await store.close();
      const name = `00000001${ending}`;
      const before = fileSystem.list(DIRECTORY);
      fileSystem.writeFile(join(DIRECTORY, name), Buffer.from('unfinished'));
      const again = await open(fileSystem);
      expect(again.recoveryReport.notes.join()).toContain(`removed ${name}`);
      expect(again.get('k1')?.toString()).toBe('v1');
      await again.close();
      expect(fileSystem.list(DIRECTORY).sort()).toEqual(before.sort());
    },
  );
});
