import { discarded, type Fixture, recovers, refusesAsCorrupt } from './fixture.ts';
import { PUT_BYTES, pairs, putFrame, putsInSegments } from './log-image.ts';

/** The first byte of a frame's key, counted from the frame. */
const KEY = 24;

/** Damage that a durable mark has something to say about. */
export const MARKED_FIXTURES: readonly Fixture[] = [
  {
    name: 'own/damage_before_the_mark',
    made: 'Nine puts in three segments, a mark after the seventh; a byte of the fifth inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 2, PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).flip(2, PUT_BYTES + KEY);
      return image.witnessedMark({ segmentId: 3, offset: PUT_BYTES, nextTxid: 8 }).files;
    },
  },
  {
    name: 'own/damage_before_the_mark_after_datawal',
    made: 'Six puts, a mark after the fourth, then opened by datawal; a byte of the last record before the mark inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 1, 3 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(6)).flip(1, 3 * PUT_BYTES + KEY);
      return image.foreignMark({ segmentId: 1, offset: 4 * PUT_BYTES, nextTxid: 5 }).files;
    },
  },
  {
    name: 'own/zeros_before_the_mark',
    made: 'Three puts, a mark at the end; the last record overwritten with zeros.',
    expected: refusesAsCorrupt('unfinished-start', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3)).overwrite(1, 2 * PUT_BYTES, Buffer.alloc(PUT_BYTES));
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/log_ends_before_the_mark',
    made: 'Nine puts in three segments, a mark after the eighth; segment 3 cut after the seventh.',
    expected: refusesAsCorrupt('ends-before-mark', 3, PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).cut(3, PUT_BYTES);
      return image.witnessedMark({ segmentId: 3, offset: 2 * PUT_BYTES, nextTxid: 9 }).files;
    },
  },
  {
    name: 'own/missing_segment_before_the_mark',
    made: 'Nine puts in three segments, a mark after the seventh; segment 2 removed.',
    expected: refusesAsCorrupt('missing-segment', 2, 0),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).remove(2);
      return image.witnessedMark({ segmentId: 3, offset: PUT_BYTES, nextTxid: 8 }).files;
    },
  },
  {
    name: 'own/missing_last_segment',
    made: 'Six puts in two segments, a mark at the start of the second; the second removed.',
    expected: refusesAsCorrupt('ends-before-mark', 2, 0),
    build: async () => {
      const image = (await putsInSegments(3, 3)).remove(2);
      return image.witnessedMark({ segmentId: 2, offset: 0, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/segment_copied_over_the_next_before_the_mark',
    made: 'Nine puts in three segments, a mark after the seventh; segment 1 copied over segment 2.',
    expected: refusesAsCorrupt('txid-not-increasing', 2, 0),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).copy(1, 2);
      return image.witnessedMark({ segmentId: 3, offset: PUT_BYTES, nextTxid: 8 }).files;
    },
  },
  {
    name: 'own/mark_inside_a_record',
    made: 'Three puts, and a mark in the middle of the second.',
    expected: refusesAsCorrupt('contradicts-mark', 1, PUT_BYTES),
    build: async () => {
      const image = await putsInSegments(3);
      return image.witnessedMark({ segmentId: 1, offset: PUT_BYTES + 8, nextTxid: 2 }).files;
    },
  },
  {
    name: 'own/mark_of_another_log',
    made: 'Three puts, and a mark after the second that names a txid which older records have.',
    expected: refusesAsCorrupt('contradicts-mark', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = await putsInSegments(3);
      return image.witnessedMark({ segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 2 }).files;
    },
  },
  {
    name: 'own/damage_two_segments_back',
    made: 'Nine puts in three segments, a mark after the first; a byte of the third inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).flip(1, 2 * PUT_BYTES + KEY);
      return image.witnessedMark({ segmentId: 1, offset: PUT_BYTES, nextTxid: 2 }).files;
    },
  },
  {
    name: 'own/missing_segment_two_segments_back',
    made: 'Nine puts in four segments, a mark at the end of the first; segment 2 removed.',
    expected: refusesAsCorrupt('missing-segment', 2, 0),
    build: async () => {
      const image = (await putsInSegments(3, 2, 2, 2)).remove(2);
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/damage_after_the_mark',
    made: 'Six puts, a mark after the second; a byte of the fourth inverted.',
    expected: recovers(3, pairs(1, 3), discarded('crc-mismatch', 1, 96, 96)),
    build: async () => {
      const image = (await putsInSegments(6)).flip(1, 96 + KEY);
      return image.witnessedMark({ segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 }).files;
    },
  },
  {
    name: 'own/damaged_length_after_the_mark',
    made: 'Six puts, a mark after the second; the payload length of the fourth made to reach past the end.',
    expected: recovers(3, pairs(1, 3), discarded('truncated', 1, 96, 96)),
    build: async () => {
      const image = (await putsInSegments(6)).overwrite(1, 96 + 21, Uint8Array.of(0x10));
      return image.witnessedMark({ segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 }).files;
    },
  },
  {
    name: 'own/garbage_after_the_mark',
    made: 'Three puts, a mark at their end, then bytes that no writer writes.',
    expected: recovers(3, pairs(1, 3), discarded('bad-magic', 1, 96, 41)),
    build: async () => {
      const image = (await putsInSegments(3)).append(
        1,
        Buffer.from('these are forty-one bytes that nobody put'),
      );
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/zero_tail_after_the_mark',
    made: 'Three puts, a mark at their end, then a block of zeros.',
    expected: recovers(3, pairs(1, 3), discarded('unfinished-start', 1, 96, 4096)),
    build: async () => {
      const image = (await putsInSegments(3)).append(1, Buffer.alloc(4096));
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/torn_then_rotated',
    made: 'Six puts in two segments, a mark after the first; the third record torn.',
    expected: recovers(
      2,
      pairs(1, 2),
      discarded('truncated', 1, 2 * PUT_BYTES, 27),
      discarded('truncated', 2, 0, 96),
    ),
    build: async () => {
      const image = (await putsInSegments(3, 3)).cut(1, 2 * PUT_BYTES + 27);
      return image.witnessedMark({ segmentId: 1, offset: PUT_BYTES, nextTxid: 2 }).files;
    },
  },
  {
    name: 'own/missing_segment_after_the_mark',
    made: 'Nine puts in three segments, a mark at the end of the first; segment 2 removed.',
    expected: recovers(3, pairs(1, 3), discarded('missing-segment', 3, 0, 96)),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).remove(2);
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/duplicate_segment_after_the_mark',
    made: 'Six puts in two segments, a mark at the end of the first; segment 2 copied to segment 3.',
    expected: recovers(6, pairs(1, 6), discarded('txid-not-increasing', 3, 0, 96)),
    build: async () => {
      const image = (await putsInSegments(3, 3)).copy(2, 3);
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/txid_gap_after_the_mark',
    made: 'Three puts, a mark after the second, then a record with txid 5 instead of 4.',
    expected: recovers(3, pairs(1, 3), discarded('txid-not-next', 1, 96, PUT_BYTES)),
    build: async () => {
      const image = (await putsInSegments(3)).append(1, putFrame(5, 'k5', 'v5'));
      return image.witnessedMark({ segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 }).files;
    },
  },
  {
    name: 'own/txid_gap_after_datawal',
    made: 'Three puts, a mark after the second, opened by datawal; then a record with txid 5 instead of 4.',
    expected: refusesAsCorrupt('txid-not-next', 1, 96),
    build: async () => {
      const image = (await putsInSegments(3)).append(1, putFrame(5, 'k5', 'v5'));
      return image.foreignMark({ segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 }).files;
    },
  },
  {
    name: 'own/torn_then_rotated_after_datawal',
    made: 'Six puts in two segments, a mark after the first, opened by datawal; the third record torn.',
    expected: refusesAsCorrupt('truncated', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3, 3)).cut(1, 2 * PUT_BYTES + 27);
      return image.foreignMark({ segmentId: 1, offset: PUT_BYTES, nextTxid: 2 }).files;
    },
  },
  {
    name: 'own/newest_mark_damaged',
    made: 'Six puts, marks after the second and at the end; the newer mark damaged, and a byte of the fourth record inverted.',
    expected: recovers(3, pairs(1, 3), discarded('crc-mismatch', 1, 96, 96)),
    build: async () => {
      const image = (await putsInSegments(6)).flip(1, 96 + KEY);
      image.witnessedMark(
        { segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 },
        { segmentId: 1, offset: 6 * PUT_BYTES, nextTxid: 7 },
      );
      return image.damageMarkSlot(1).files;
    },
  },
  {
    name: 'own/both_marks_damaged',
    made: 'Six puts, marks after the second and at the end; both marks damaged, and a byte of the fourth record inverted.',
    expected: refusesAsCorrupt('crc-mismatch', 1, 96),
    build: async () => {
      const image = (await putsInSegments(6)).flip(1, 96 + KEY);
      image.witnessedMark(
        { segmentId: 1, offset: 2 * PUT_BYTES, nextTxid: 3 },
        { segmentId: 1, offset: 6 * PUT_BYTES, nextTxid: 7 },
      );
      return image.damageMarkSlot(0).damageMarkSlot(1).files;
    },
  },
];
