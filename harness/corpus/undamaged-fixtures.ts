import { RecordType } from '../../src/engine/index.ts';
import { TXID_JUMP } from '../../src/engine/recovery/log-opening.ts';
import { type Fixture, recovers } from './fixture.ts';
import { logWritten, PUT_BYTES, pairs, putFrame, putsInSegments } from './log-image.ts';

/** Logs with nothing wrong in them, closed in order or not. */
export const UNDAMAGED_FIXTURES: readonly Fixture[] = [
  {
    name: 'own/closed_in_order',
    made: 'Nine puts in three segments; a clean mark at the end.',
    expected: { ...recovers(9, pairs(1, 9)), outcome: 'clean' },
    build: async () => {
      const image = await putsInSegments(3, 3, 3);
      return image.witnessedMark({ segmentId: 3, offset: 96, nextTxid: 10, clean: true }).files;
    },
  },
  {
    name: 'own/killed_after_a_sync',
    made: 'Nine puts in three segments; a mark at the end that is not clean.',
    expected: recovers(9, pairs(1, 9)),
    build: async () => {
      const image = await putsInSegments(3, 3, 3);
      return image.witnessedMark({ segmentId: 3, offset: 96, nextTxid: 10 }).files;
    },
  },
  {
    name: 'own/killed_with_unsynced_records',
    made: 'Nine puts in three segments; a mark after the fourth.',
    expected: recovers(9, pairs(1, 9)),
    build: async () => {
      const image = await putsInSegments(3, 3, 3);
      return image.witnessedMark({ segmentId: 2, offset: PUT_BYTES, nextTxid: 5 }).files;
    },
  },
  {
    name: 'own/killed_after_a_rotation',
    made: 'Three puts, then a rotation; a mark in front of it.',
    expected: recovers(3, pairs(1, 3)),
    build: async () => {
      const image = await putsInSegments(3, 0);
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid: 4 }).files;
    },
  },
  {
    name: 'own/txid_jump_between_openings',
    made: 'Three puts, then one with the txid that the mark after them set aside.',
    expected: recovers(4, pairs(1, 4)),
    build: async () => {
      const nextTxid = 3 + TXID_JUMP;
      const image = (await putsInSegments(3)).append(1, putFrame(nextTxid, 'k4', 'v4'));
      return image.witnessedMark({ segmentId: 1, offset: 96, nextTxid }).files;
    },
  },
  {
    name: 'own/appended_by_datawal',
    made: 'Three puts and a mark that set txids aside; datawal opened and appended txid 4.',
    expected: recovers(4, pairs(1, 4)),
    build: async () => {
      const image = await putsInSegments(4);
      return image.foreignMark({ segmentId: 1, offset: 96, nextTxid: 3 + TXID_JUMP }).files;
    },
  },
  {
    name: 'own/no_sidecars',
    made: 'Nine puts in three segments and nothing else.',
    expected: recovers(9, pairs(1, 9)),
    build: async () => (await putsInSegments(3, 3, 3)).files,
  },
  {
    name: 'own/empty_segments_in_front',
    made: 'Nine puts in three segments; the first two emptied.',
    expected: recovers(3, pairs(7, 9)),
    build: async () => (await putsInSegments(3, 3, 3)).cut(1, 0).cut(2, 0).files,
  },
  {
    name: 'own/empty_segment_in_the_middle',
    made: 'Nine puts in three segments; the second emptied, as one merged away or quarantined is.',
    expected: recovers(6, { ...pairs(1, 3), ...pairs(7, 9) }),
    build: async () => (await putsInSegments(3, 3, 3)).cut(2, 0).files,
  },
  {
    name: 'own/unusual_records',
    made: 'Put an empty key with an empty value, put ü=é, appended a Raw record under ü, deleted a key that never was.',
    expected: recovers(4, { '': '', ü: 'é' }),
    build: async () => {
      const image = await logWritten((log) => {
        log.appendRecord(RecordType.Put, '', '');
        log.appendRecord(RecordType.Put, 'ü', 'é');
        log.appendRecord(RecordType.Raw, 'ü', 'not seen through the store');
        log.appendRecord(RecordType.Delete, 'never', '');
      });
      return image.files;
    },
  },
  {
    name: 'own/files_that_are_no_segments',
    made: 'Three puts; beside them files whose names are almost those of segments.',
    expected: recovers(3, pairs(1, 3)),
    build: async () => {
      const image = await putsInSegments(3);
      const names = [
        '0000002.dwal',
        '000000002.dwal',
        '00000000.dwal',
        '00000002.dwal.bak',
        '00000002.DWAL',
      ];
      for (const name of names) image.file(name, Buffer.from('not a segment'));
      return image.files;
    },
  },
];
