import { HEADER_BYTES } from '../../src/engine/format/format.ts';
import {
  discarded,
  type Fixture,
  recovers,
  refusesAsAmbiguous,
  refusesAsCorrupt,
} from './fixture.ts';
import { type LogImage, PUT_BYTES, pairs, putFrame, putsInSegments } from './log-image.ts';

/**
 * Damage with no durable mark to judge it by: the bytes alone must say what a crash can have done.
 */
export const UNMARKED_FIXTURES: readonly Fixture[] = [
  {
    name: 'own/missing_segment',
    made: 'Nine puts in three segments; segment 2 removed.',
    expected: refusesAsCorrupt('missing-segment', 2, 0),
    build: async () => (await putsInSegments(3, 3, 3)).remove(2).files,
  },
  {
    name: 'own/segment_copied_over_the_next',
    made: 'Nine puts in three segments; segment 1 copied over segment 2.',
    expected: refusesAsCorrupt('txid-not-increasing', 2, 0),
    build: async () => (await putsInSegments(3, 3, 3)).copy(1, 2).files,
  },
  {
    name: 'own/duplicate_segment',
    made: 'Six puts in two segments; segment 2 copied to segment 3.',
    expected: refusesAsCorrupt('txid-not-increasing', 3, 0),
    build: async () => (await putsInSegments(3, 3)).copy(2, 3).files,
  },
  {
    name: 'own/damage_in_a_sealed_segment',
    made: 'Nine puts in three segments; a byte of the fifth inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 2, PUT_BYTES),
    build: async () => (await putsInSegments(3, 3, 3)).flip(2, PUT_BYTES + HEADER_BYTES).files,
  },
  {
    name: 'own/torn_then_rotated_without_a_mark',
    made: 'Six puts in two segments; the third record torn.',
    expected: refusesAsCorrupt('truncated', 1, 2 * PUT_BYTES),
    build: async () => (await putsInSegments(3, 3)).cut(1, 2 * PUT_BYTES + 27).files,
  },
  {
    name: 'own/zero_tail_then_rotated_without_a_mark',
    made: 'Six puts in two segments; 64 zeros at the end of the first.',
    expected: refusesAsCorrupt('unfinished-start', 1, 96),
    build: async () => (await putsInSegments(3, 3)).append(1, Buffer.alloc(64)).files,
  },
  {
    name: 'own/flipped_byte_early',
    made: 'Six puts; a byte of the first inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 1, 0),
    build: async () => (await putsInSegments(6)).flip(1, HEADER_BYTES).files,
  },
  {
    name: 'own/garbage_before_the_last_record',
    made: 'Three puts, bytes that no writer writes, and a record with the next txid.',
    expected: refusesAsCorrupt('bad-magic', 1, 96),
    build: async () => {
      const garbage = Buffer.from('these bytes were never put');
      return (await putsInSegments(3)).append(1, garbage, putFrame(4, 'k4', 'v4')).files;
    },
  },
  {
    name: 'own/records_behind_a_tear',
    made: 'Three puts, the third torn, then two records appended behind the tear, as datawal does.',
    expected: refusesAsCorrupt('crc-mismatch', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3)).cut(1, 2 * PUT_BYTES + 27);
      return image.append(1, putFrame(3, 'k3', 'v3'), putFrame(4, 'k4', 'v4')).files;
    },
  },
  {
    name: 'own/record_behind_a_tear',
    made: 'Three puts, the third torn, then one record appended behind the tear, inside the length that the torn one claims.',
    expected: refusesAsAmbiguous('crc-mismatch', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3)).cut(1, 2 * PUT_BYTES + 27);
      return image.append(1, putFrame(3, 'k3', 'v3')).files;
    },
  },
  {
    name: 'own/damaged_length_hides_records',
    made: 'Six puts; the payload length of the second made to reach past the end.',
    expected: refusesAsAmbiguous('truncated', 1, PUT_BYTES),
    build: async () =>
      (await putsInSegments(6)).overwrite(1, PUT_BYTES + 21, Uint8Array.of(0x10)).files,
  },
  {
    name: 'own/torn_value_that_holds_a_record',
    made: 'Two puts, then one whose value is a frame with a high txid, cut in the last byte.',
    expected: refusesAsAmbiguous('truncated', 1, 2 * PUT_BYTES),
    build: async () => {
      const frame = putFrame(3, 'nested', putFrame(1000, 'k1', 'never put'));
      return (await putsInSegments(2)).append(1, frame.subarray(0, -1)).files;
    },
  },
  {
    name: 'own/torn_value_that_holds_an_old_record',
    made: 'Two puts, then one whose value is a frame with a low txid, cut in the last byte.',
    expected: recovers(2, pairs(1, 2), discarded('truncated', 1, 2 * PUT_BYTES, 72)),
    build: async () => {
      const frame = putFrame(3, 'nested', putFrame(1, 'k1', 'never put'));
      return (await putsInSegments(2)).append(1, frame.subarray(0, -1)).files;
    },
  },
  {
    name: 'own/torn_header',
    made: 'Three puts, cut after 10 bytes of the third.',
    expected: recovers(2, pairs(1, 2), discarded('unfinished-start', 1, 2 * PUT_BYTES, 10)),
    build: async () => (await putsInSegments(3)).cut(1, 2 * PUT_BYTES + 10).files,
  },
  {
    name: 'own/torn_value',
    made: 'Three puts, cut before the checksum of the third.',
    expected: recovers(2, pairs(1, 2), discarded('truncated', 1, 2 * PUT_BYTES, 28)),
    build: async () => (await putsInSegments(3)).cut(1, 2 * PUT_BYTES + 28).files,
  },
  {
    name: 'own/checksum_wrong_at_the_end',
    made: 'Three puts; the last byte inverted.',
    expected: recovers(2, pairs(1, 2), discarded('crc-mismatch', 1, 2 * PUT_BYTES, PUT_BYTES)),
    build: async () => (await putsInSegments(3)).flip(1, 95).files,
  },
  {
    name: 'own/zero_tail',
    made: 'Three puts, then 24 zeros, the length of a header.',
    expected: recovers(3, pairs(1, 3), discarded('unfinished-start', 1, 96, 24)),
    build: async () => (await putsInSegments(3)).append(1, Buffer.alloc(24)).files,
  },
  {
    name: 'own/zero_tail_shorter_than_a_header',
    made: 'Three puts, then 23 zeros.',
    expected: recovers(3, pairs(1, 3), discarded('unfinished-start', 1, 96, 23)),
    build: async () => (await putsInSegments(3)).append(1, Buffer.alloc(23)).files,
  },
  {
    name: 'own/zero_tail_of_a_block',
    made: 'Three puts, then 8192 zeros.',
    expected: recovers(3, pairs(1, 3), discarded('unfinished-start', 1, 96, 8192)),
    build: async () => (await putsInSegments(3)).append(1, Buffer.alloc(8192)).files,
  },
  {
    name: 'own/header_then_zeros',
    made: 'Three puts; all behind the header of the third overwritten with zeros.',
    expected: recovers(2, pairs(1, 2), discarded('unfinished-start', 1, 2 * PUT_BYTES, PUT_BYTES)),
    build: async () => {
      const image = await putsInSegments(3);
      return image.overwrite(1, 2 * PUT_BYTES + HEADER_BYTES, Buffer.alloc(8)).files;
    },
  },
  {
    name: 'own/start_of_a_header_then_zeros',
    made: 'Three puts, then the first five bytes of a frame and 100 zeros.',
    expected: recovers(3, pairs(1, 3), discarded('unfinished-start', 1, 96, 105)),
    build: async () => {
      const start = putFrame(4, 'k4', 'v4').subarray(0, 5);
      return (await putsInSegments(3)).append(1, start, Buffer.alloc(100)).files;
    },
  },
  {
    name: 'own/garbage_tail',
    made: 'Three puts, then bytes that no writer writes.',
    expected: refusesAsCorrupt('bad-magic', 1, 96),
    build: async () => {
      const image = await putsInSegments(3);
      return image.append(1, Buffer.from('these are forty-one bytes that nobody put')).files;
    },
  },
  lastHeaderChanged('unknown_version', 'the version', 4, 2, 'unknown-version'),
  lastHeaderChanged('unknown_type', 'the record type', 6, 3, 'unknown-type'),
  lastHeaderChanged('flags_set', 'the flags', 7, 1, 'nonzero-flags'),
  lastHeaderChanged('txid_zero', 'the txid', 8, 0, 'txid-out-of-range'),
  lastHeaderChanged('key_too_long', 'the third byte of the key length', 18, 2, 'key-too-long'),
  lastHeaderChanged(
    'payload_too_long',
    'the fourth byte of the payload length',
    23,
    5,
    'payload-too-long',
  ),
  {
    name: 'own/txid_repeated_at_the_end',
    made: 'Three puts, then the third once more.',
    expected: refusesAsCorrupt('txid-not-increasing', 1, 96),
    build: async () => (await putsInSegments(3)).append(1, putFrame(3, 'k3', 'v3')).files,
  },
];

function lastHeaderChanged(
  damage: string,
  field: string,
  at: number,
  value: number,
  fault: Parameters<typeof refusesAsCorrupt>[0],
): Fixture {
  return {
    name: `own/${damage}_at_the_end`,
    made: `Three puts; ${field} of the third overwritten with ${value}.`,
    expected: refusesAsCorrupt(fault, 1, 2 * PUT_BYTES),
    build: async (): Promise<LogImage['files']> =>
      (await putsInSegments(3)).overwrite(1, 2 * PUT_BYTES + at, Uint8Array.of(value)).files,
  };
}
