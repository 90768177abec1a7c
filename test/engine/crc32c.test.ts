import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ChecksumCandidate,
  type Crc32cFunction,
  checksumName,
  chooseChecksum,
  crc32c,
  crc32cOfRange,
} from '../../src/engine/format/crc32c.ts';
import { crc32cInJavaScript } from '../../src/engine/format/crc32c-javascript.ts';

/** The definition: division by the Castagnoli polynomial, bit by bit, reflected. */
const bitByBit: Crc32cFunction = (bytes, previous = 0) => {
  let remainder = ~previous;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
    }
  }
  return ~remainder >>> 0;
};

/**
 * RFC 3720, appendix B.4, as it prints them: the bytes of the digest in the order in which they are
 * sent.
 */
const RFC_3720: readonly (readonly [string, Uint8Array, string])[] = [
  ['32 bytes of zeroes', new Uint8Array(32), 'aa36918a'],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), '43aba862'],
  ['32 bytes incrementing', Uint8Array.from({ length: 32 }, (_, index) => index), '4e79dd46'],
  ['32 bytes decrementing', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), '5cdb3f11'],
  [
    'an iSCSI SCSI Read (10) command',
    Buffer.from(
      '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' +
        '0200000000000000',
      'hex',
    ),
    '563a96d9',
  ],
];

describe('what stands in where no native part loads', () => {
  test('agrees with the definition on any bytes, whole and continued over any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const expected = bitByBit(bytes);
        expect(crc32cInJavaScript(bytes)).toBe(expected);
        expect(
          crc32cInJavaScript(bytes.subarray(cut), crc32cInJavaScript(bytes.subarray(0, cut))),
        ).toBe(expected);
      }),
    );
  });
});

describe('crc32c', () => {
  test.each(RFC_3720)('gives the digest of RFC 3720 for %s', (_, bytes, expected) => {
    const digest = Buffer.alloc(4);
    digest.writeUInt32LE(crc32c(bytes));
    expect(digest.toString('hex')).toBe(expected);
  });

  test('gives the check value of the catalogues, and zero for nothing', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  test('agrees with the definition on any bytes, whole and continued over any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(7), (bytes, cut, skew) => {
        // At any alignment: native implementations have their own path for the first bytes.
        const shifted = Buffer.alloc(bytes.length + skew);
        shifted.set(bytes, skew);
        const view = shifted.subarray(skew);
        const expected = bitByBit(bytes);
        expect(crc32c(view)).toBe(expected);
        expect(crc32c(view.subarray(cut), crc32c(view.subarray(0, cut)))).toBe(expected);
      }),
    );
  });
});

describe('the checksum of a range', () => {
  test('is that of its bytes, on either side of the length from which native code takes over', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 700 }),
        fc.nat(),
        fc.nat(),
        (bytes, some, more) => {
          const [start = 0, end = 0] = [some % (bytes.length + 1), more % (bytes.length + 1)].sort(
            (a, b) => a - b,
          );
          expect(crc32cOfRange(new DataView(bytes.buffer), start, end)).toBe(
            crc32c(bytes.subarray(start, end)),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the choice of an implementation', () => {
  const right: ChecksumCandidate = { name: 'right', load: () => bitByBit };
  const missing: ChecksumCandidate = {
    name: 'missing',
    load: () => {
      throw new Error('cannot find it');
    },
  };
  const throwing: ChecksumCandidate = {
    name: 'throwing',
    load: () => () => {
      throw new Error('illegal instruction');
    },
  };
  const wrongs: readonly ChecksumCandidate[] = [
    { name: 'constant', load: () => () => 0x8a9136aa },
    { name: 'signed', load: () => (bytes, previous) => bitByBit(bytes, previous) | 0 },
    { name: 'never continuing', load: () => (bytes) => bitByBit(bytes) },
    // The polynomial of zip and Ethernet.
    { name: 'another CRC-32', load: () => (bytes) => (bitByBit(bytes) ^ 0x1db710641) >>> 0 },
  ];

  test('falls on the first that is right, past those that are wrong, broken or not there', () => {
    for (const bad of [missing, throwing, ...wrongs]) {
      expect(chooseChecksum([bad, right])).toEqual({ name: 'right', crc32c: bitByBit });
    }
    expect(chooseChecksum([right, { ...right, name: 'later' }]).name).toBe('right');
  });

  test('ends with the reason for each when none is right', () => {
    const bad = [missing, throwing, ...wrongs];
    const message = (() => {
      try {
        return chooseChecksum(bad).name;
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(message).toContain('missing: cannot find it');
    expect(message).toContain('throwing: illegal instruction');
    for (const { name } of wrongs)
      expect(message).toContain(`${name}: does not reproduce the RFC 3720 vectors`);
  });

  test('is the same each time, and what this process reports', () => {
    const chosen = chooseChecksum();
    expect(chosen.name).toBe(checksumName());
    expect(chosen.crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });
});
