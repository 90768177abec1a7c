import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { crc32c } from '../../src/engine/format/crc32c.ts';
import { OpenFile } from '../../src/engine/host/open-file.ts';
import { StoreFiles } from '../../src/engine/host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../../src/engine/host/turns.ts';
import {
  decodeSealHeader,
  encodeSealHeader,
  parseSealName,
  readSeal,
  SEAL_HEADER_BYTES,
  type Seal,
  sealPath,
} from '../../src/engine/seal/seal-file.ts';
import { HintReader } from '../../src/engine/seal/seal-hints.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

const TURNS = new Turns(OPENING_SLICE_BYTES);
const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const seal: fc.Arbitrary<Seal> = fc
  .record({
    segmentId: fc.integer({ min: 1, max: 99_999_999 }),
    firstId: fc.integer({ min: 1, max: 99_999_999 }),
    storeId: bytes(16),
    byteLength: uint(40),
    recordCount: uint(40),
    firstTxid: uint(40),
    lastTxid: uint(50),
    digest: bytes(32),
    identity: bytes(32),
    predecessorIdentity: bytes(32),
    endsDigest: uint(32),
    hintsCrc: uint(32),
    hintCount: uint(40),
    hintsBytes: uint(40),
  })
  .map((one) => ({
    ...one,
    firstId: Math.min(one.firstId, one.segmentId),
    lastTxid: Math.max(one.firstTxid, one.lastTxid),
  }));

/**
 * A store whose first segment is sealed and holds what `keys` say: each is put, and every third
 * deleted again.
 */
async function sealed(keys: readonly string[]): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await open(fileSystem);
  keys.forEach((key, index) => {
    store.put(key, `value ${index}`);
    if (index % 3 === 2) store.delete(key);
  });
  store.rotate();
  await store.close();
  return fileSystem;
}

class KeyedLines extends Map<string, string[]> {
  add(key: string, line: string): void {
    this.set(key, [...(this.get(key) ?? []), line]);
  }
}

describe('a seal file', () => {
  test('says what was written, and nothing when a bit of its header is another', () => {
    fc.assert(
      fc.property(seal, fc.nat(SEAL_HEADER_BYTES * 8 - 1), (one, bit) => {
        const header = encodeSealHeader(one);
        expect(header).toHaveLength(SEAL_HEADER_BYTES);
        expect(decodeSealHeader(header)).toEqual(one);
        header[bit >>> 3] = (header[bit >>> 3] as number) ^ (1 << (bit % 8));
        expect(decodeSealHeader(header)).toBeUndefined();
      }),
    );
  });

  test('has a hint for every Put and Delete, those of one key in log order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 60 }),
        async (keys) => {
          const fileSystem = await sealed(keys);
          const one = (await readSeal(new StoreFiles(fileSystem, DIRECTORY), 1, TURNS)) as Seal;
          const descriptor = fileSystem.open(sealPath(DIRECTORY, 1), 'read');
          const hint = new HintReader(
            new OpenFile(fileSystem, descriptor),
            one,
            HintReader.chunkFor([one]),
          );
          const byKey = new KeyedLines();
          while (hint.next()) {
            const key = hint.bytes
              .subarray(hint.keyAt, hint.keyAt + hint.keyLength)
              .toString('hex');
            byKey.add(key, `${hint.isDelete} ${hint.offset} ${hint.byteLength}`);
          }
          const store = await open(fileSystem.afterProcessDeath());
          const expected = new KeyedLines();
          for (const { key, type, ref } of store.scan()) {
            expected.add(
              Buffer.from(key).toString('hex'),
              `${type === 2} ${ref.offset} ${ref.byteLength}`,
            );
          }
          expect(byKey).toEqual(expected);
          expect(one).toMatchObject({
            recordCount: one.hintCount,
            firstTxid: 1,
            lastTxid: one.hintCount,
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  test('whose checksum holds, and which tells of a hint that nobody writes, is not believed', async () => {
    const whole = await sealed(['a', 'b']);
    // The first hint: of a key of one byte, padded with three.
    for (const [at, value, what] of [
      [4, 1000, 'a key that reaches behind the end'],
      [4, 0xffff_ffff, 'a key that is longer than any'],
      [8, 1_000_000, 'a frame behind the end of the segment'],
      [12, 5, 'a frame that is shorter than its header'],
      [24, 0x0100_0061, 'a padding that is not zero'],
    ] as const) {
      const fileSystem = whole.afterProcessDeath();
      fileSystem.mutate(sealPath(DIRECTORY, 1), (bytes) => {
        bytes.writeUInt32LE(value, SEAL_HEADER_BYTES + at);
        const header = decodeSealHeader(bytes.subarray(0, SEAL_HEADER_BYTES)) as Seal;
        const hintsCrc = crc32c(bytes.subarray(SEAL_HEADER_BYTES));
        return Buffer.concat([
          encodeSealHeader({ ...header, hintsCrc }),
          bytes.subarray(SEAL_HEADER_BYTES),
        ]);
      });
      const one = (await readSeal(new StoreFiles(fileSystem, DIRECTORY), 1, TURNS)) as Seal;
      const descriptor = fileSystem.open(sealPath(DIRECTORY, 1), 'read');
      const reader = () =>
        new HintReader(new OpenFile(fileSystem, descriptor), one, HintReader.chunkFor([one]));
      expect(() => reader().next(), what).toThrow('changed while it was read');
      expect(() => reader().nextRun(), what).toThrow('changed while it was read');
      await expect(open(fileSystem), what).rejects.toThrow('changed while it was read');
    }
  });

  test('that was cut, or made longer, counts for nothing and changes nothing', async () => {
    const whole = await sealed(['a', 'b', 'a', 'c']);
    const sizeBytes = whole.stat(sealPath(DIRECTORY, 1))?.sizeBytes as number;
    for (let cut = 0; cut <= sizeBytes + 1; cut++) {
      if (cut === sizeBytes) continue;
      const fileSystem = whole.afterProcessDeath();
      fileSystem.mutate(sealPath(DIRECTORY, 1), (all) =>
        Buffer.concat([all, Buffer.alloc(1)]).subarray(0, cut),
      );
      expect(await readSeal(new StoreFiles(fileSystem, DIRECTORY), 1, TURNS)).toBe('damaged');
      const store = await open(fileSystem);
      expect([...store.keys()].map(String).sort()).toEqual(['b', 'c']);
      expect(store.recoveryReport.notes).toContain('00000001.seal was damaged and ignored');
      await store.close();
      // The next opening finds a new one.
      expect(await readSeal(new StoreFiles(fileSystem, DIRECTORY), 1, TURNS)).toBeInstanceOf(
        Object,
      );
    }
  });

  test('saves an opening the reading of its segment, and what is read then is the same', async () => {
    const fileSystem = await sealed(['a', 'b', 'a', 'c']);
    const fast = await open(fileSystem.afterProcessDeath());
    const full = await open(fileSystem.afterProcessDeath(), { open: 'full' });
    expect([fast.recoveryReport, full.recoveryReport]).toMatchObject([
      { segmentsFromSeals: 1, segmentsScanned: 1 },
      { segmentsFromSeals: 0, segmentsScanned: 2 },
    ]);
    expect([...fast.entries()].sort()).toEqual([...full.entries()].sort());
  });

  test('has the name of its segment', () => {
    expect(sealPath('/d', 7)).toBe('/d/00000007.seal');
    expect(parseSealName('00000007.seal')).toBe(7);
    for (const name of ['7.seal', '00000007.seal.tmp', '00000007.merge', '00000000.seal'])
      expect(parseSealName(name)).toBeUndefined();
  });
});
