import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { MAX_SEGMENT_FILE_BYTES, RecordType } from '../../src/engine/format/format.ts';
import { viewOf } from '../../src/engine/format/frame.ts';
import { type HashSeed, hashKey } from '../../src/engine/format/key-hash.ts';
import { Keydir } from '../../src/engine/keydir/keydir.ts';
import { HintBlock } from '../../src/engine/seal/hint-block.ts';
import type { FrameCursor } from '../../src/engine/segment/frame-cursor.ts';

const SEED: HashSeed = [1, 2];

interface LogRecord {
  readonly segmentId: number;
  readonly type: RecordType;
  readonly key: Uint8Array;
  readonly offset: number;
  readonly byteLength: number;
}

/** What a replay looks at of a cursor that stands on this record. */
function cursor({ type, key, offset, byteLength }: LogRecord): FrameCursor {
  const bytes = Buffer.concat([Buffer.from('#'), key]);
  const frame = { type, offset, byteLength, txid: 1, bytes, view: viewOf(bytes) };
  return { ...frame, keyAt: 1, keyLength: key.length } as unknown as FrameCursor;
}

const logBytes = (records: readonly LogRecord[]) =>
  records.reduce((sum, { byteLength }) => sum + byteLength, 0);

function replayed(records: readonly LogRecord[], expectedBytes = logBytes(records)): Keydir {
  const keydir = new Keydir(SEED);
  const replay = keydir.replay(expectedBytes);
  let logEnd = 0;
  for (const record of records) {
    logEnd += record.byteLength;
    replay.frame(record.segmentId, cursor(record), logEnd);
  }
  replay.finish();
  return keydir;
}

function oneByOne(records: readonly LogRecord[]): Keydir {
  const keydir = new Keydir(SEED);
  for (const record of records) keydir.apply(record.segmentId, cursor(record));
  return keydir;
}

/** Everything that can be asked of a keydir about these records. */
function answers(keydir: Keydir, records: readonly LogRecord[]) {
  return {
    size: keydir.size,
    liveBytes: keydir.liveBytes,
    keys: keydir.sortedKeys().map((key) => key.toString('hex')),
    places: records.map(({ key }) => ({ ...keydir.locate(key) })),
    usage: records.map(({ segmentId }) => ({ ...keydir.usage.of(segmentId) })),
  };
}

const key = fc.oneof(
  fc.uint8Array({ maxLength: 24 }),
  // Few distinct keys, so that overwrites and deletes hit.
  fc.nat(40).map((index) => Buffer.from(`key-${index}`)),
);
const record: fc.Arbitrary<LogRecord> = fc
  .record({
    segmentId: fc.integer({ min: 1, max: 3 }),
    type: fc.constantFrom(RecordType.Put, RecordType.Put, RecordType.Delete, RecordType.Raw),
    key,
    offset: fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: MAX_SEGMENT_FILE_BYTES - 1 })),
    payloadBytes: fc.nat(100),
  })
  .map(({ payloadBytes, ...rest }) => ({
    ...rest,
    byteLength: 28 + rest.key.length + payloadBytes,
  }));

/** So many records of 16-byte keys, `distinct` of them. */
function manyRecords(
  count: number,
  distinct: number,
  type: RecordType = RecordType.Put,
): LogRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    segmentId: 1,
    type,
    key: Buffer.from(`k${String(index % distinct).padStart(15, '0')}`),
    offset: index * 144,
    byteLength: 144,
  }));
}

describe('a replay', () => {
  test('comes to the keydir that the records make one by one', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 400 }), (records) => {
        expect(answers(replayed(records), records)).toEqual(answers(oneByOne(records), records));
      }),
    );
  });

  test('of hints, as a seal has them, comes to the same as that of their records', () => {
    const records = manyRecords(3000, 700).map((one, index) => ({
      ...one,
      type: index % 5 === 0 ? RecordType.Delete : RecordType.Put,
    }));
    const keydir = new Keydir(SEED);
    const replay = keydir.replay(logBytes(records));
    const block = new HintBlock(SEED, logBytes(records));
    // The first half as hints, a seal for every segment of a hundred records; the second as records
    // of one more.
    const halves = records.map((one, index) => ({
      ...one,
      segmentId: Math.min(15, index / 100) | 0,
    }));
    for (const [index, one] of halves.entries()) {
      const logEnd = (index + 1) * 144;
      if (one.segmentId === 15) {
        replay.frame(15, cursor(one), logEnd);
        continue;
      }
      block.add(cursor(one), one.offset);
      if (index % 100 < 99) continue;
      for (const run of block.runs()) replay.hints(one.segmentId, run, logEnd);
      block.clear();
    }
    replay.finish();
    expect(answers(keydir, halves)).toEqual(answers(oneByOne(halves), halves));
  });

  test('does not take keys with the same hash for one', () => {
    const [one, other] = recordsWithOneHash();
    const keydir = replayed([one, other, { ...one, offset: 7 }]);
    expect([keydir.size, keydir.locate(one.key)?.offset, keydir.locate(other.key)?.offset]).toEqual(
      [2, 7, other.offset],
    );
    const left = replayed([one, other, { ...one, type: RecordType.Delete }]);
    expect(left.sortedKeys()).toEqual([other.key]);
  });

  test('leaves at most 64 bytes per key, whatever it had expected', () => {
    const puts = manyRecords(50_000, 50_000);
    const bytesAKey = (keydir: Keydir) => keydir.sizeBytes / keydir.size;
    const whole = replayed(puts);
    expect(whole.size).toBe(50_000);
    expect(bytesAKey(whole)).toBeLessThanOrEqual(64);
    // Each key twenty times: the first time they come, as many more may be expected of the rest.
    const overwritten = replayed(manyRecords(50_000, 5000));
    expect(overwritten.size).toBe(5000);
    expect(bytesAKey(overwritten)).toBeLessThanOrEqual(64);
    const deleted = replayed([...puts, ...manyRecords(45_000, 45_000, RecordType.Delete)]);
    expect(deleted.size).toBe(5000);
    expect(bytesAKey(deleted)).toBeLessThanOrEqual(64);
    // A torn tail: of the log that was expected, a hundredth came.
    const torn = replayed(puts.slice(0, 5000), 100 * 5000 * 144);
    expect(torn.size).toBe(5000);
    expect(bytesAKey(torn)).toBeLessThanOrEqual(64);
    expect(
      puts.slice(0, 5000).filter(({ key, offset }) => torn.locate(key)?.offset !== offset),
    ).toEqual([]);
  });

  test('makes room for what is to come from what has come, and copies little', () => {
    const puts = manyRecords(20_000, 20_000);
    let allocatedBytes = 0;
    const counted = new Proxy(Uint32Array, {
      construct(target, args) {
        const made = Reflect.construct(target, args);
        allocatedBytes += made.byteLength;
        return made;
      },
    });
    vi.stubGlobal('Uint32Array', counted);
    try {
      const { sizeBytes } = replayed(puts);
      expect(allocatedBytes / sizeBytes).toBeLessThan(2);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

/** Some 80,000 keys are enough, by the birthday paradox. */
function recordsWithOneHash(): [LogRecord, LogRecord] {
  const seen = new Map<number, number>();
  const record = (index: number): LogRecord => ({
    segmentId: 1,
    type: RecordType.Put,
    key: Buffer.from(`key ${index}`),
    offset: index,
    byteLength: 144,
  });
  for (let index = 0; ; index++) {
    const { key } = record(index);
    const hash = hashKey(key, 0, key.length, SEED);
    const earlier = seen.get(hash);
    if (earlier !== undefined) return [record(earlier), record(index)];
    seen.set(hash, index);
  }
}
