import { type Fixture, recovers, refusesAsCorrupt } from './fixture.ts';
import { PUT_BYTES, pairs, putFrame, putsInSegments } from './log-image.ts';

const END = { segmentId: 3, offset: 3 * PUT_BYTES, nextTxid: 10 };

/** Segments with seal files beside them, which know what a log cannot tell of itself. */
export const SEALED_FIXTURES: readonly Fixture[] = [
  {
    name: 'own/sealed_in_order',
    made: 'Nine puts in three segments, the first two sealed, closed in order.',
    expected: { outcome: 'clean', recordsKept: 9, discarded: [], livePairs: pairs(1, 9) },
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      return image.witnessedMark({ ...END, clean: true }).files;
    },
  },
  {
    name: 'own/sealed_without_a_mark',
    made: 'Nine puts in three segments, the first two sealed; the mark and the lock file removed.',
    expected: recovers(9, pairs(1, 9)),
    build: async () => (await (await putsInSegments(3, 3, 3)).sealed()).files,
  },
  {
    name: 'own/damaged_seal',
    made: 'Nine puts in three segments, the first two sealed; a byte of a hint in the second seal inverted.',
    expected: { outcome: 'clean', recordsKept: 9, discarded: [], livePairs: pairs(1, 9) },
    build: async () => {
      const image = (await (await putsInSegments(3, 3, 3)).sealed()).flipSeal(2, 200);
      return image.witnessedMark({ ...END, clean: true }).files;
    },
  },
  {
    name: 'own/seals_of_another_store',
    made: 'Nine puts in three segments, and the seal files of the same segments in another store.',
    expected: { outcome: 'clean', recordsKept: 9, discarded: [], livePairs: pairs(1, 9) },
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed(Buffer.alloc(16, 0x33));
      return image.witnessedMark({ ...END, clean: true }).files;
    },
  },
  {
    name: 'own/sealed_segment_cut_at_a_frame',
    made: 'Nine puts in three segments, the first two sealed; the last record of segment 2 cut off.',
    expected: refusesAsCorrupt('ends-before-seal', 2, 2 * PUT_BYTES),
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      return image.cut(2, 2 * PUT_BYTES).witnessedMark(END).files;
    },
  },
  {
    name: 'own/sealed_segment_replaced',
    made: 'Nine puts in three segments, the first two sealed; segment 2 replaced by three others with the same txids.',
    expected: refusesAsCorrupt('contradicts-seal', 2, 0),
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      const others = [4, 5, 6].map((txid) => putFrame(txid, `k${txid}`, 'vx'));
      return image
        .cut(2, 0)
        .append(2, ...others)
        .witnessedMark(END).files;
    },
  },
  {
    name: 'own/sealed_segment_appended_to',
    made: 'Six puts in two segments, the first sealed, the second removed; datawal appended one record to the first.',
    expected: recovers(4, { ...pairs(1, 3), k4: 'v4' }),
    build: async () => {
      const image = await (await putsInSegments(3, 3)).sealed();
      return image.remove(2).append(1, putFrame(4, 'k4', 'v4')).files;
    },
  },
  {
    name: 'own/first_sealed_segment_removed',
    made: 'Nine puts in three segments, the first two sealed; segment 1 and its seal removed.',
    expected: refusesAsCorrupt('contradicts-seal', 2, 0),
    build: async () => {
      const image = await (await putsInSegments(3, 3, 3)).sealed();
      return image.remove(1).removeSeal(1).witnessedMark(END).files;
    },
  },
  {
    name: 'own/all_after_a_seal_removed',
    made: 'Nine puts in three segments, the first two sealed; segment 3, the mark and the lock file removed.',
    expected: refusesAsCorrupt('missing-segment', 3, 0),
    build: async () => (await (await putsInSegments(3, 3, 3)).sealed()).remove(3).files,
  },
];
