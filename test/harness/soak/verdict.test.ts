import { describe, expect, test } from 'vitest';
import { judgeGates } from '../../../harness/soak/gates/gates.ts';
import { judge } from '../../../harness/soak/result/verdict.ts';
import type { RunOutcome } from '../../../harness/soak/run/run-outcome.ts';

const ENDED = { code: 0, signal: null, lastWords: [] };
const FAILED_GATE = {
  name: 'some_gate',
  verdict: 'failed' as const,
  detail: '2 of at most 1',
};
const VIOLATED: RunOutcome = {
  kind: 'violated',
  doing: 'read',
  count: 3,
  violations: [{ kind: 'lost', key: '"k"', detail: 'is absent' }],
};

describe('the verdict', () => {
  test.each<[string, Parameters<typeof judge>[0], number]>([
    [
      'completed',
      { outcome: { kind: 'completed' }, processEnd: ENDED, killed: false, aborted: false },
      0,
    ],
    ['violated', { outcome: VIOLATED, processEnd: ENDED, killed: false, aborted: false }, 1],
    [
      'violated and interrupted',
      {
        outcome: VIOLATED,
        processEnd: ENDED,
        killed: false,
        aborted: false,
        interruptedBy: 'SIGINT',
      },
      1,
    ],
    [
      'failed',
      {
        outcome: { kind: 'failed', doing: 'x', message: 'y' },
        processEnd: ENDED,
        killed: false,
        aborted: false,
      },
      1,
    ],
    [
      'failed with a full disk',
      {
        outcome: { kind: 'failed', doing: 'x', message: 'y', errno: 'ENOSPC' },
        processEnd: ENDED,
        killed: false,
        aborted: false,
      },
      3,
    ],
    [
      'crashed',
      {
        outcome: undefined,
        processEnd: { ...ENDED, code: null, signal: 'SIGSEGV' },
        killed: false,
        aborted: false,
      },
      1,
    ],
    [
      'killed from outside',
      {
        outcome: undefined,
        processEnd: { ...ENDED, code: null, signal: 'SIGKILL' },
        killed: false,
        aborted: false,
      },
      3,
    ],
    [
      'killed because it hung',
      {
        outcome: undefined,
        processEnd: { ...ENDED, code: null, signal: 'SIGKILL' },
        killed: true,
        aborted: false,
      },
      3,
    ],
    [
      'interrupted twice',
      {
        outcome: undefined,
        processEnd: { ...ENDED, code: null, signal: 'SIGKILL' },
        killed: true,
        aborted: false,
        interruptedBy: 'SIGINT',
      },
      130,
    ],
    [
      'stopped',
      {
        outcome: { kind: 'stopped' },
        processEnd: ENDED,
        killed: false,
        aborted: false,
        interruptedBy: 'SIGTERM',
      },
      143,
    ],
  ])('%s', (_name, ending, exitCode) => {
    expect(judge(ending, []).exitCode).toBe(exitCode);
    // A gate decides only when nothing else has.
    expect(judge(ending, [FAILED_GATE]).exitCode).toBe(exitCode === 0 ? 99 : exitCode);
  });
});

describe('the gates', () => {
  const closed = (open: number, deleted = 0) => ({
    store: 'closed' as const,
    life: 0,
    descriptors: { open, deleted },
  });
  const rest = { samples: [], peakRssBytes: undefined, warmupEndsAtS: 0 };
  const limits = { thresholds: [], maxRssBytes: undefined, seed: 1 };
  const failed = (gates: ReturnType<typeof judgeGates>) =>
    gates.flatMap(({ name, passed }) => (passed ? [] : [name]));

  test('what a process holds after the first close is no leak, and what comes later is', () => {
    expect(failed(judgeGates({ ...rest, checkpoints: [closed(20), closed(20)] }, limits))).toEqual(
      [],
    );
    expect(failed(judgeGates({ ...rest, checkpoints: [closed(20), closed(21)] }, limits))).toEqual([
      'fds_leaked_when_closed',
    ]);
    expect(
      failed(judgeGates({ ...rest, checkpoints: [closed(20), closed(20, 1)] }, limits)),
    ).toEqual(['fds_of_deleted_files']);
  });

  test('descriptors of an open store must be those that it tells of, neither more nor fewer', () => {
    for (const [open, names] of [
      [25, []],
      [24, ['fds_not_accounted_for']],
      [26, ['fds_not_accounted_for']],
    ] as const) {
      const resting = {
        store: 'open' as const,
        life: 0,
        stats: { openDescriptors: 5, descriptorLimit: 9 },
        descriptors: { open, deleted: 0 },
      };
      expect(failed(judgeGates({ ...rest, checkpoints: [closed(20), resting] }, limits))).toEqual(
        names,
      );
    }
  });

  test('what could not be measured is not judged', () => {
    const unseen = { store: 'closed' as const, life: 0, descriptors: undefined };
    expect(
      judgeGates({ ...rest, checkpoints: [unseen, unseen] }, { ...limits, maxRssBytes: 1 }),
    ).toEqual([]);
    expect(
      failed(
        judgeGates({ ...rest, checkpoints: [], peakRssBytes: 2 }, { ...limits, maxRssBytes: 1 }),
      ),
    ).toEqual(['rss_peak_bytes']);
  });
});
