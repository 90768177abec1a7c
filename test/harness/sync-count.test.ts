import { expect, test } from 'vitest';
import { countIn } from '../../harness/survey/sync-count.ts';

const told = (step: number) => `7 writev(1<pipe:[5]>, [{iov_base="ok ${step}", iov_len=4}], 2) = 5`;
const SYNC = '9 fdatasync(20</s/log>)              = 0';

test('an acknowledged write without a sync call since it began is counted, by what put promises', () => {
  const text = [SYNC, told(0), told(1), SYNC, told(2), SYNC, told(3), told(4)].join('\n');
  const kinds = ['write', 'write', 'write', 'get', 'write'] as const;
  expect(countIn(text, kinds, { put: 'power', sync: undefined })).toEqual({
    promised: 4,
    withoutSync: 2,
    systemCalls: 3,
  });
});

test('a sync that was acknowledged may stand on any sync call since the last write began', () => {
  const text = [SYNC, told(0), told(1), told(2), told(3)].join('\n');
  const kinds = ['write', 'sync', 'write', 'sync'] as const;
  expect(countIn(text, kinds, { put: 'kill', sync: 'power' })).toEqual({
    promised: 2,
    withoutSync: 1,
    systemCalls: 1,
  });
});

test('calls that failed, or were not finished, are no syncs; files opened with O_DSYNC say nothing', () => {
  const failed = '9 fsync(20</s/log>) = -1 EIO (Input/output error)';
  const begun = '9 fsync(20</s/log> <unfinished ...>';
  const opened = '9 openat(AT_FDCWD, "/s/log", O_RDWR|O_DSYNC) = 20</s/log>';
  const contract = { put: 'power', sync: undefined } as const;
  expect(countIn([failed, begun, told(0)].join('\n'), ['write'], contract)).toEqual({
    promised: 1,
    withoutSync: 1,
    systemCalls: 0,
  });
  const resumed = '9 <... fsync resumed>)  = 0';
  expect(countIn([begun, resumed, told(0)].join('\n'), ['write'], contract).withoutSync).toBe(0);
  expect(countIn([opened, told(0)].join('\n'), ['write'], contract).withoutSync).toBeUndefined();
});
