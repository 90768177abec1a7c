import { type Fixture, recovers, refusesAsCorrupt } from './fixture.ts';
import { PUT_BYTES, pairs, putsInSegments } from './log-image.ts';

const END = { segmentId: 3, offset: 3 * PUT_BYTES, nextTxid: 10, clean: true };
/** Bytes of the segments before it. */
const HELD = [3 * PUT_BYTES, 3 * PUT_BYTES];

/** Segments that are gone or cut together with their seals: others speak for them. */
export const SUMMED_FIXTURES: readonly Fixture[] = [
  {
    name: 'own/mark_that_sums_up',
    made: 'Nine puts in three segments, none sealed, closed in order, with a mark that sums up what lies before it.',
    expected: { outcome: 'clean', recordsKept: 9, discarded: [], livePairs: pairs(1, 9) },
    build: async () => (await putsInSegments(3, 3, 3)).summedMark(HELD, END).files,
  },
  {
    name: 'own/mark_that_sums_up_lags',
    made: 'Nine puts in three segments, none sealed, and a mark in the second that sums up the first.',
    expected: recovers(9, pairs(1, 9)),
    build: async () => {
      const mark = { segmentId: 2, offset: PUT_BYTES, nextTxid: 5 };
      return (await putsInSegments(3, 3, 3)).summedMark(HELD, mark).files;
    },
  },
  {
    name: 'own/unsealed_segment_cut_at_a_frame',
    made: 'The same as mark_that_sums_up; the last record of segment 1 cut off.',
    expected: refusesAsCorrupt('contradicts-mark', 1, 2 * PUT_BYTES),
    build: async () => {
      const image = (await putsInSegments(3, 3, 3)).cut(1, 2 * PUT_BYTES);
      return image.summedMark(HELD, END).files;
    },
  },
  {
    name: 'own/last_sealed_segment_emptied_with_its_seal',
    made: 'Nine puts in three segments, the first two sealed, with a mark that sums up; segment 2 emptied, its seal removed.',
    expected: refusesAsCorrupt('contradicts-mark', 2, 0),
    build: async () => {
      const image = (await (await putsInSegments(3, 3, 3)).sealed()).cut(2, 0).removeSeal(2);
      return image.summedMark(HELD, END).files;
    },
  },
  {
    name: 'own/sealed_segment_cut_with_its_seal_and_no_mark',
    made: 'Nine puts in three segments, the first two sealed; segment 1 cut after two, its seal, the mark and the lock file removed.',
    expected: refusesAsCorrupt('contradicts-seal', 1, 0),
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      return image.cut(1, 2 * PUT_BYTES).removeSeal(1).files;
    },
  },
  {
    name: 'own/sealed_segments_removed',
    made: 'Nine puts in three segments, the first two sealed; both removed, their seals left.',
    expected: refusesAsCorrupt('missing-segment', 1, 0),
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      return image.remove(1).remove(2).witnessedMark(END).files;
    },
  },
  {
    name: 'own/sealed_segments_removed_with_their_seals',
    made: 'Nine puts in three segments, the first two sealed, with a mark that sums up; both and their seals removed.',
    expected: refusesAsCorrupt('missing-segment', 1, 0),
    build: async () =>
      (await putsInSegments(3, 3, 3)).remove(1).remove(2).summedMark(HELD, END).files,
  },
];
