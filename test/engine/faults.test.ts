import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { StoreFiles } from '../../src/engine/host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../../src/engine/host/turns.ts';
import { openStore, type Store, type StoreError } from '../../src/engine/index.ts';
import { TXID_JUMP } from '../../src/engine/recovery/log-opening.ts';
import { scanLog } from '../../src/engine/recovery/recovery.ts';
import { SealSet } from '../../src/engine/seal/seal-set.ts';
import { SCAN_CHUNK_BYTES } from '../../src/engine/segment/frame-cursor.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';
import { DIRECTORY, open, txidsIn, withoutSidecars } from './store-in-memory.ts';

/**
 * The known faults of datawal, each with what must happen instead.
 */
const CORRUPTION = ['STORE_CORRUPT', 'AMBIGUOUS_TAIL'];

/**
 * A store that died with `counts` puts in its segments (`key-0`, `key-1` and so on), the first
 * `synced` of them durable.
 */
async function diedWith(counts: readonly number[], synced: number): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  let index = 0;
  for (const [segment, count] of counts.entries()) {
    if (segment > 0) store.rotate();
    for (const end = index + count; index < end; index++) {
      store.put(`key-${index}`, valueAt(index));
      if (index + 1 === synced) await store.sync();
    }
  }
  return fileSystem.afterProcessDeath();
}

function valueAt(index: number): string {
  return `value ${index} `.repeat(1 + (index % 3));
}

function expectHolds(store: Store, count: number): void {
  expect(store.size).toBe(count);
  for (let index = 0; index < count; index++)
    expect(String(store.get(`key-${index}`))).toBe(valueAt(index));
}

function cutLast(fileSystem: MemoryFileSystem, segmentId: number, byteLength: number): void {
  fileSystem.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => bytes.subarray(0, -byteLength));
}

/** Closes what opened; returns the error of what did not. */
async function refusalOf(fileSystem: MemoryFileSystem): Promise<StoreError | undefined> {
  try {
    await (await open(fileSystem)).close();
    return undefined;
  } catch (error) {
    return error as StoreError;
  }
}

describe('fault 1: records appended behind a torn tail are lost, and gets return other keys', () => {
  for (const [sidecars, strip] of [
    ['with the durable mark', (fileSystem: MemoryFileSystem) => fileSystem],
    ['without sidecars', withoutSidecars],
  ] as const) {
    test(`what is put after a torn tail is read back at once and by every later opening, ${sidecars}`, async () => {
      const fileSystem = strip(await diedWith([6], 2));
      cutLast(fileSystem, 1, 3);
      const store = await open(fileSystem);
      expectHolds(store, 5);
      for (let index = 5; index < 9; index++) {
        store.put(`key-${index}`, valueAt(index));
        expectHolds(store, index + 1);
      }
      await store.sync();
      const again = await open(fileSystem.afterProcessDeath());
      expectHolds(again, 9);
      expect(again.recoveryReport.discarded).toEqual([]);
    });
  }
});

describe('fault 2: the txids of discarded records are given out again', () => {
  test('new records get txids above all that stood in what was discarded', async () => {
    const puts = fc.integer({ min: 2, max: 12 });
    await fc.assert(
      fc.asyncProperty(puts, fc.nat(), async (count, position) => {
        const damaged = position % (count - 1);
        const whole = await diedWith([count], 0);
        const store = await open(whole);
        const { offset } = store.refOf(`key-${damaged}`) as { offset: number };
        const fileSystem = await diedWith([count], 0);
        fileSystem.mutate(segmentPath(DIRECTORY, 1), (bytes) => {
          bytes[offset + 30] = (bytes[offset + 30] as number) ^ 1;
          return bytes;
        });
        const recovered = await open(fileSystem);
        expectHolds(recovered, damaged);
        const [discarded] = recovered.recoveryReport.discarded;
        const saved = txidsIn(fileSystem.readFile(discarded?.quarantinePath as string));
        expect(saved).toHaveLength(count - damaged - 1);
        recovered.put('new', 'record');
        const txids = [...recovered.scan()].map(({ txid }) => txid);
        expect(txids.at(-1)).toBe(recovered.recoveryReport.nextTxid);
        expect(txids.at(-1)).toBeGreaterThan(Math.max(...saved));
        expect(txids.at(-1)).toBeGreaterThanOrEqual((txids.at(-2) ?? 0) + TXID_JUMP);
      }),
      { numRuns: 40 },
    );
  });
});

describe('fault 3: a torn tail that was rotated away keeps the store from ever opening', () => {
  test('a store rotated right after recovering from a torn tail opens again', async () => {
    const fileSystem = withoutSidecars(await diedWith([4], 0));
    cutLast(fileSystem, 1, 3);
    const store = await open(fileSystem);
    store.rotate();
    store.put('key-3', valueAt(3));
    await store.close();
    const again = await open(fileSystem);
    expectHolds(again, 4);
    expect(again.recoveryReport.outcome).toBe('clean');
  });

  test('a tail torn by the crash itself, behind which the next segment was begun, is cut off together with it', async () => {
    const fileSystem = await diedWith([4, 2], 2);
    cutLast(fileSystem, 1, 3);
    const store = await open(fileSystem);
    expectHolds(store, 3);
    expect(store.recoveryReport.discarded.map(({ segmentId }) => segmentId)).toEqual([1, 2]);
    store.put('key-3', valueAt(3));
    await store.sync();
    expectHolds(await open(fileSystem.afterProcessDeath()), 4);
  });
});

describe('fault 4: a tail of 24 zeros or more keeps the store from opening', () => {
  test('a tail of zeros of any length is cut off, with sidecars and without', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 24, max: 600_000 }),
        fc.boolean(),
        async (zeros, sidecars) => {
          const died = await diedWith([5], 3);
          const fileSystem = sidecars ? died : withoutSidecars(died);
          fileSystem.mutate(segmentPath(DIRECTORY, 1), (bytes) =>
            Buffer.concat([bytes, Buffer.alloc(zeros)]),
          );
          const store = await open(fileSystem);
          expectHolds(store, 5);
          expect(store.recoveryReport.discarded).toMatchObject([
            { damage: 'unfinished-start', byteLength: zeros },
          ]);
          await store.close();
        },
      ),
      {
        numRuns: 60,
        examples: [
          [24, true],
          [24, false],
          [4096, false],
        ],
      },
    );
  });
});

describe('fault 5: one flipped byte early in the active segment silently discards every record after it', () => {
  const count = 4;

  /** Flips every bit of the log in turn; `check` gets the index of the record that it hit. */
  async function forEveryFlip(
    died: MemoryFileSystem,
    check: (fileSystem: MemoryFileSystem, record: number) => Promise<void>,
  ): Promise<void> {
    const refs = await open(died.afterProcessDeath());
    for (let record = 0; record < count; record++) {
      const { offset, byteLength } = refs.refOf(`key-${record}`) as {
        offset: number;
        byteLength: number;
      };
      for (let bit = 0; bit < byteLength * 8; bit++) {
        const fileSystem = died.afterProcessDeath();
        fileSystem.mutate(segmentPath(DIRECTORY, 1), (bytes) => {
          const at = offset + (bit >> 3);
          bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
          return bytes;
        });
        await check(fileSystem, record);
      }
    }
  }

  test('without sidecars, any flipped bit in front of the last record is refused', async () => {
    await forEveryFlip(
      withoutSidecars(await diedWith([count], count)),
      async (fileSystem, record) => {
        const refusal = await refusalOf(fileSystem);
        // In the last record it is what a torn append looks like: that record may go, and no other.
        if (record === count - 1 && refusal === undefined) {
          expectHolds(await open(fileSystem), count - 1);
        } else {
          expect(CORRUPTION).toContain(refusal?.code);
        }
      },
    );
  });

  test('with the durable mark, any flipped bit of what was synced is refused', async () => {
    await forEveryFlip(await diedWith([count], count), async (fileSystem) => {
      expect(await refusalOf(fileSystem)).toMatchObject({ code: 'STORE_CORRUPT', segmentId: 1 });
    });
  });
});

describe('fault 6: a missing segment, and one copied over another, go unnoticed', () => {
  const counts = [3, 2, 3, 2, 3];
  const total = counts.reduce((sum, count) => sum + count);
  const ids = counts.map((_, index) => index + 1);

  for (const sidecars of [true, false]) {
    const having = sidecars ? 'with the durable mark' : 'without sidecars';
    const died = async () => {
      const fileSystem = await diedWith(counts, total);
      return sidecars ? fileSystem : withoutSidecars(fileSystem);
    };

    test(`any missing middle segment is refused, ${having}`, async () => {
      for (const missing of ids.slice(1, -1)) {
        const fileSystem = await died();
        fileSystem.remove(segmentPath(DIRECTORY, missing));
        expect(await refusalOf(fileSystem)).toMatchObject({
          code: 'STORE_CORRUPT',
          segmentId: missing,
          reason: 'missing-segment',
        });
      }
    });

    test(`a segment copied over any other is refused, ${having}`, async () => {
      for (const from of ids) {
        for (const to of ids.filter((id) => id !== from)) {
          const fileSystem = await died();
          fileSystem.writeFile(
            segmentPath(DIRECTORY, to),
            fileSystem.readFile(segmentPath(DIRECTORY, from)),
          );
          expect((await refusalOf(fileSystem))?.code, `${from} over ${to}`).toBe('STORE_CORRUPT');
        }
      }
    });

    test(`a segment copied to the next free id is noticed, ${having}`, async () => {
      for (const from of ids) {
        const fileSystem = await died();
        const copied = fileSystem.readFile(segmentPath(DIRECTORY, from));
        fileSystem.writeFile(segmentPath(DIRECTORY, counts.length + 1), copied);
        if (!sidecars) {
          expect(await refusalOf(fileSystem)).toMatchObject({
            code: 'STORE_CORRUPT',
            reason: 'txid-not-increasing',
          });
          continue;
        }
        // Behind the mark, so it may go: nothing that was acknowledged was there.
        const store = await open(fileSystem);
        expectHolds(store, total);
        expect(store.recoveryReport.discarded).toMatchObject([{ byteLength: copied.length }]);
        await store.close();
      }
    });
  }
});

describe('fault 7: opening reads whole segments into memory', () => {
  const segmentBytes = 4 * SCAN_CHUNK_BYTES;

  /**
   * Three segments of up to 4 MiB in records of `valueBytes`, killed with a torn record at the end.
   */
  async function diedLarge(valueBytes: number): Promise<MemoryFileSystem> {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore(DIRECTORY, { fileSystem, segmentBytes });
    for (let index = 0; store.end.segmentId < 4; index++)
      store.put(`key-${index}`, Buffer.alloc(valueBytes, 7));
    const died = fileSystem.afterProcessDeath();
    cutLast(died, 4, 5);
    return died;
  }

  /** The longest read of an opening that discards at least so many bytes. */
  async function longestReadOfOpening(
    fileSystem: MemoryFileSystem,
    leastDiscarded = 1,
  ): Promise<number> {
    let longest = 0;
    const watched = intercept(fileSystem, ({ method, args, proceed }) => {
      if (method === 'read') longest = Math.max(longest, args[3] as number);
      return proceed();
    });
    const store = await openStore(DIRECTORY, { fileSystem: watched, segmentBytes });
    expect(store.recoveryReport.outcome).toBe('recovered');
    const discarded = store.recoveryReport.discarded.reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
    expect(discarded).toBeGreaterThanOrEqual(leastDiscarded);
    await store.close();
    return longest;
  }

  test('no read of an opening, its repair included, asks for more than a chunk of 1 MiB', async () => {
    expect(SCAN_CHUNK_BYTES).toBe(1024 * 1024);
    const fileSystem = await diedLarge(100_000);
    expect(fileSystem.readFile(segmentPath(DIRECTORY, 1)).length).toBeGreaterThan(
      3 * SCAN_CHUNK_BYTES,
    );
    expect(await longestReadOfOpening(withoutSidecars(fileSystem))).toBe(SCAN_CHUNK_BYTES);
  });

  test('no read asks for more than a chunk when a whole segment goes into quarantine', async () => {
    // The rotation to segment 4 has made segment 2 durable, and has put the mark behind it.
    const fileSystem = await diedLarge(100_000);
    fileSystem.mutate(segmentPath(DIRECTORY, 3), (bytes) => {
      bytes[30] = (bytes[30] as number) ^ 1;
      return bytes;
    });
    expect(await longestReadOfOpening(fileSystem, 3 * SCAN_CHUNK_BYTES)).toBe(SCAN_CHUNK_BYTES);
  });

  test('no read of an opening asks for more than the largest record, where that is longer than a chunk', async () => {
    const valueBytes = 1.5 * SCAN_CHUNK_BYTES;
    const longest = await longestReadOfOpening(withoutSidecars(await diedLarge(valueBytes)));
    expect(longest).toBe(valueBytes + 28 + 'key-0'.length);
  });

  test('the scan holds one chunk, or one record that is longer', async () => {
    for (const [valueBytes, held] of [
      [100_000, SCAN_CHUNK_BYTES],
      [1.5 * SCAN_CHUNK_BYTES, 1.5 * SCAN_CHUNK_BYTES + 28 + 'key-0'.length],
    ] as const) {
      const fileSystem = await diedLarge(valueBytes);
      const buffers = new Set<number>();
      const turns = new Turns(OPENING_SLICE_BYTES);
      const files = new StoreFiles(fileSystem, DIRECTORY);
      await scanLog({
        files,
        segments: listSegments(fileSystem, DIRECTORY),
        mark: undefined,
        seals: await SealSet.read(files, undefined, turns),
        turns,
        full: true,
        witnessed: false,
        mode: 'prefix',
        acceptAmbiguousTail: false,
        probe: undefined,
        operation: 0,
        target: {
          replay: () => ({
            frame: (_segmentId, frame) => buffers.add(frame.bytes.buffer.byteLength),
            hints: () => {},
            finish: () => {},
          }),
        },
      });
      expect([...buffers]).toEqual([held]);
    }
  });

  test('a record that claims 64 MiB in a file without them costs no such read', async () => {
    const fileSystem = await diedLarge(100_000);
    withoutSidecars(fileSystem);
    const last = fileSystem
      .list(DIRECTORY)
      .filter((name) => name.endsWith('.dwal'))
      .sort()
      .at(-1);
    fileSystem.mutate(join(DIRECTORY, basename(last as string)), (bytes) => {
      bytes.writeUInt32LE(64 * 1024 * 1024, 20);
      return bytes;
    });
    expect(await longestReadOfOpening(fileSystem)).toBe(SCAN_CHUNK_BYTES);
  });
});
