import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_SEGMENT_FILE_BYTES } from '../../src/engine/format/format.ts';
import type { RecordRef } from '../../src/engine/format/frame.ts';
import { hashKey } from '../../src/engine/format/key-hash.ts';
import { Keydir } from '../../src/engine/keydir/keydir.ts';

const key = fc.oneof(
  fc.uint8Array({ maxLength: 24 }),
  // Few distinct keys, so that overwrites and deletes hit.
  fc.nat(40).map((index) => Buffer.from(`key-${index}`)),
);
const ref = fc.record({
  segmentId: fc.integer({ min: 1, max: 99_999_999 }),
  offset: fc.integer({ min: 0, max: MAX_SEGMENT_FILE_BYTES - 1 }),
  byteLength: fc.integer({ min: 28, max: 67_174_428 }),
});
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ set: fc.constant(true), key, ref }) },
  { weight: 2, arbitrary: fc.record({ set: fc.constant(false), key, ref }) },
);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const TOMBSTONE = { segmentId: 9, offset: 0, byteLength: 30 };

describe('keydir', () => {
  test('it agrees with a Map through sets, overwrites and deletes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const keydir = new Keydir();
        const model = new Map<string, RecordRef>();
        for (const { set, key, ref } of steps) {
          if (set) {
            keydir.set(key, ref);
            model.set(hex(key), ref);
          } else {
            expect(keydir.delete(key, TOMBSTONE)).toBe(model.delete(hex(key)));
          }
        }
        expect(keydir.size).toBe(model.size);
        for (const { key } of steps) {
          expect(keydir.has(key)).toBe(model.has(hex(key)));
          const found = keydir.locate(key);
          expect(found && keydir.files.refOf(found)).toEqual(model.get(hex(key)));
        }
        expect(keydir.sortedKeys().map(hex)).toEqual([...model.keys()].sort());
      }),
    );
  });

  test('it holds many keys through growth, and gives the memory of deleted ones back', () => {
    const keydir = new Keydir();
    const keys = Array.from({ length: 100_000 }, (_, index) =>
      Buffer.from(`k${String(index).padStart(15, '0')}`),
    );
    keys.forEach((key, index) => {
      keydir.set(key, { segmentId: 1, offset: index, byteLength: 144 });
    });
    expect(keydir.size).toBe(keys.length);
    expect(keydir.sizeBytes / keys.length).toBeLessThanOrEqual(64);
    const full = keydir.sizeBytes;
    keys.forEach((key, index) => {
      expect(keydir.locate(key)?.offset).toBe(index);
      if (index % 10 !== 0) keydir.delete(key, TOMBSTONE);
    });
    expect(keydir.size).toBe(keys.length / 10);
    keys.forEach((key, index) => {
      expect(keydir.has(key)).toBe(index % 10 === 0);
    });
    expect(keydir.sizeBytes).toBeLessThan(full / 2);
  });

  test('keys that were made room for find it, also when deletes among them make the arena compact', () => {
    const keydir = new Keydir();
    const keysOf = (name: string) =>
      Array.from({ length: 40_000 }, (_, index) => Buffer.from(`${name}-${index}`));
    const [old, fresh] = [keysOf('old'), keysOf('fresh')];
    for (const key of old) keydir.set(key, { segmentId: 1, offset: 1, byteLength: 50 });
    const reserved = [...old, ...fresh];
    keydir.reserve(reserved);
    for (const key of old) keydir.delete(key, TOMBSTONE);
    fresh.forEach((key, index) => {
      keydir.setReserved(old.length + index, key, { segmentId: 2, offset: index, byteLength: 50 });
    });
    expect(keydir.size).toBe(fresh.length);
    expect(fresh.filter((key, index) => keydir.locate(key)?.offset !== index)).toEqual([]);
    expect(keydir.sortedKeys()).toEqual([...fresh].sort(Buffer.compare));
  });

  test('a walk over the keys survives writes in between, and sees no key twice', () => {
    const keydir = new Keydir();
    const place = { segmentId: 1, offset: 0, byteLength: 28 };
    for (let index = 0; index < 2000; index++) keydir.set(Buffer.from(`key-${index}`), place);
    const seen: string[] = [];
    let next = 2000;
    for (const key of keydir.keys()) {
      seen.push(String(key));
      keydir.delete(Buffer.from(`key-${next - 2000 + 1000}`), TOMBSTONE);
      keydir.set(Buffer.from(`key-${next++}`), place);
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (let index = 0; index < 1000; index++) expect(seen).toContain(`key-${index}`);
  });
});

describe('key hash', () => {
  test('it is HalfSipHash-1-3', () => {
    // The first of the vectors that the Linux kernel tests its hsiphash with: bytes 0, 1, 2, … of
    // growing length.
    const expected = [
      0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65,
      0x9d38d9d6, 0x577999b1, 0xc839caed, 0xe4fa32cf, 0x959246ee, 0x6b28096c, 0x66dd9cd6,
      0x16658a7c, 0xd0257b04, 0x8b31d501,
    ];
    const bytes = Uint8Array.from({ length: expected.length }, (_, index) => index);
    const hashes = expected.map((_, length) => hashKey(bytes, 0, length, [0x03020100, 0x07060504]));
    expect(hashes).toEqual(expected);
  });

  test('it depends on the seed, and not on where the key lies', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), (bytes, shift) => {
        const moved = Buffer.concat([Buffer.alloc(shift, 1), bytes, Buffer.alloc(3, 1)]);
        expect(hashKey(moved, shift, shift + bytes.length, [1, 2])).toBe(
          hashKey(bytes, 0, bytes.length, [1, 2]),
        );
      }),
    );
    expect(hashKey(Buffer.from('key'), 0, 3, [1, 2])).not.toBe(
      hashKey(Buffer.from('key'), 0, 3, [1, 3]),
    );
  });
});
