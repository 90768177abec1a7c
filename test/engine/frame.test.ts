import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FRAME_OVERHEAD_BYTES,
  HEADER_BYTES,
  KEY_LENGTH_OFFSET,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
  PAYLOAD_LENGTH_OFFSET,
  RecordType,
} from '../../src/engine/format/format.ts';
import {
  decodeFrame,
  encodeFrame,
  frameBytes,
  writeUint32,
} from '../../src/engine/format/frame.ts';

const record = fc.record({
  type: fc.constantFrom(...Object.values(RecordType)),
  txid: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  key: fc.uint8Array({ maxLength: 80 }),
  payload: fc.uint8Array({ maxLength: 300 }),
});

function encode(
  {
    type,
    txid,
    key,
    payload,
  }: { type: RecordType; txid: number; key: Uint8Array; payload: Uint8Array },
  before = 0,
): Buffer {
  const bytes = Buffer.alloc(before + frameBytes(key.length, payload.length), 0xaa);
  expect(encodeFrame(bytes, before, type, txid, key, payload)).toBe(bytes.length - before);
  return bytes;
}

describe('frame', () => {
  test('what was encoded is decoded, wherever it lies', () => {
    fc.assert(
      fc.property(record, fc.nat(64), fc.uint8Array({ maxLength: 64 }), (input, before, after) => {
        const frame = encode(input, before);
        const bytes = Buffer.concat([frame, after]);
        const decoded = decodeFrame(bytes, before);
        if (!decoded.ok) throw new Error(decoded.fault);
        expect(decoded.byteLength).toBe(frame.length - before);
        expect(decoded.record.type).toBe(input.type);
        expect(decoded.record.txid).toBe(input.txid);
        expect(Buffer.from(decoded.record.key)).toEqual(Buffer.from(input.key));
        expect(Buffer.from(decoded.record.payload)).toEqual(Buffer.from(input.payload));
      }),
    );
  });

  test('any bytes decode to a record or a fault, without throwing and without reading past the end', () => {
    const header = encode({
      type: RecordType.Put,
      txid: 1,
      key: new Uint8Array(3),
      payload: new Uint8Array(9),
    });
    const mostlyFrames = fc
      .tuple(
        fc.uint8Array({ maxLength: 120 }),
        fc.array(fc.tuple(fc.nat(23), fc.nat(255)), { maxLength: 3 }),
      )
      .map(([tail, changes]) => {
        const bytes = Buffer.concat([header.subarray(0, HEADER_BYTES), tail]);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), mostlyFrames),
        fc.nat(220),
        (content, cut) => {
          const end = Math.min(cut, content.length);
          // What lies past the end must not matter: decode twice with different bytes there.
          const zeros = new Uint8Array(content.length + 64);
          const ones = new Uint8Array(content.length + 64).fill(0xff);
          zeros.set(content.subarray(0, end));
          ones.set(content.subarray(0, end));
          const first = decodeFrame(zeros, 0, end);
          const second = decodeFrame(ones, 0, end);
          expect(second.ok).toBe(first.ok);
          if (first.ok) expect(first.byteLength).toBeLessThanOrEqual(end);
          else if (!second.ok) expect(second.fault).toBe(first.fault);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('one flipped bit anywhere is a fault', () => {
    fc.assert(
      fc.property(record, fc.nat(), (input, position) => {
        const bytes = encode(input);
        const bit = position % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(decodeFrame(bytes).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('every proper prefix of a frame is truncated, and claims the whole length once its header is there', () => {
    const bytes = encode({
      type: RecordType.Put,
      txid: 7,
      key: Buffer.from('key'),
      payload: Buffer.from('value'),
    });
    for (let length = 0; length < bytes.length; length++) {
      const decoded = decodeFrame(bytes.subarray(0, length));
      expect(decoded).toEqual({
        ok: false,
        fault: 'truncated',
        claimedBytes: length < HEADER_BYTES ? 0 : bytes.length,
      });
    }
  });

  test.each([
    ['bad-magic', 0, 0x00],
    ['unknown-version', 4, 2],
    ['unknown-version', 5, 1],
    ['unknown-type', 6, 3],
    ['nonzero-flags', 7, 1],
    ['txid-out-of-range', 14, 0x20],
  ] as const)('%s is named before the checksum is looked at (byte %d)', (fault, at, value) => {
    const bytes = encode({
      type: RecordType.Raw,
      txid: 1,
      key: new Uint8Array(0),
      payload: new Uint8Array(1),
    });
    bytes[at] = value;
    expect(decodeFrame(bytes)).toEqual({ ok: false, fault, claimedBytes: 0 });
  });

  test('lengths beyond the limits are faults, and the limits themselves are not', () => {
    const bytes = encode({
      type: RecordType.Raw,
      txid: 1,
      key: new Uint8Array(0),
      payload: new Uint8Array(0),
    });
    const withLengths = (keyLength: number, payloadLength: number) => {
      writeUint32(bytes, KEY_LENGTH_OFFSET, keyLength);
      writeUint32(bytes, PAYLOAD_LENGTH_OFFSET, payloadLength);
      return decodeFrame(bytes);
    };
    expect(withLengths(MAX_KEY_BYTES + 1, 0)).toMatchObject({ fault: 'key-too-long' });
    expect(withLengths(0, MAX_PAYLOAD_BYTES + 1)).toMatchObject({ fault: 'payload-too-long' });
    expect(withLengths(MAX_KEY_BYTES, MAX_PAYLOAD_BYTES)).toEqual({
      ok: false,
      fault: 'truncated',
      claimedBytes: FRAME_OVERHEAD_BYTES + MAX_KEY_BYTES + MAX_PAYLOAD_BYTES,
    });
  });
});
