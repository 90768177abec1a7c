import { describe, expect, test } from 'vitest';
import { decideLease, type LeaseEvidence } from '../../src/engine/lock/lock-decision.ts';

const SELF = {
  pid: 100,
  processStart: '5000',
  bootId: 'boot-now',
  pidNamespace: 'ns-1',
  host: 'here',
};
const SENTINEL = { device: 7, inode: 70 };
const LEASE_INODE = 71;

/** Every value of every input that can change the answer. */
const DOMAIN = {
  lease: ['fresh', 'stale', 'none'],
  recorded: [true, false],
  selfBootId: [SELF.bootId, null],
  selfPidNamespace: [SELF.pidNamespace, null],
  bootId: [SELF.bootId, 'boot-before', null],
  pidNamespace: [SELF.pidNamespace, 'ns-2', null],
  host: [SELF.host, 'elsewhere'],
  processStart: ['4000', null],
  startOfRecordedPid: ['4000', '9000', null, undefined],
  /** The state of the recorded thread now; `none`: there is none in the record. */
  thread: ['none', 'same', 'gone'],
  leaseInode: [null, LEASE_INODE, LEASE_INODE + 1],
  recordKernelLock: [true, false],
  kernelLockHeld: [true, false],
  device: [SENTINEL.device, 8],
  inode: [SENTINEL.inode, 71],
} as const;

const THREAD_STARTS = {
  none: undefined,
  same: '4100',
  gone: null,
} as const;

type Case = { readonly [Input in keyof typeof DOMAIN]: (typeof DOMAIN)[Input][number] };

function* cases(): Generator<Case> {
  const inputs = Object.keys(DOMAIN) as (keyof typeof DOMAIN)[];
  const combine = function* (index: number, chosen: Partial<Case>): Generator<Case> {
    const input = inputs[index];
    if (input === undefined) {
      yield chosen as Case;
      return;
    }
    for (const value of DOMAIN[input]) yield* combine(index + 1, { ...chosen, [input]: value });
  };
  yield* combine(0, {});
}

function evidenceOf(input: Case): LeaseEvidence {
  return {
    lease:
      input.lease === 'none' ? undefined : { inode: LEASE_INODE, stale: input.lease === 'stale' },
    record: input.recorded
      ? {
          pid: 200,
          processStart: input.processStart,
          bootId: input.bootId,
          pidNamespace: input.pidNamespace,
          host: input.host,
          device: input.device,
          inode: input.inode,
          ...(input.thread === 'none' ? {} : { thread: { id: 201, start: '4100' } }),
          kernelLock: input.recordKernelLock,
          leaseInode: input.leaseInode,
          nonce: '00',
          released: false,
        }
      : undefined,
    self: { ...SELF, bootId: input.selfBootId, pidNamespace: input.selfPidNamespace },
    sentinel: SENTINEL,
    kernelLockHeld: input.kernelLockHeld,
    startOfRecordedPid: input.startOfRecordedPid,
    startOfRecordedThread: THREAD_STARTS[input.thread],
  };
}

/**
 * The rules in words, one after the other. Two facts are equal only when both are known; unknown is
 * never proof. A device number is compared within one boot only,
 * because another kernel may number the same device differently, and to take a live holder on
 * another host for a copy would rob it.
 */
function rulesInWords(input: Case): 'free' | 'dead' | 'held' {
  if (input.lease === 'none') return 'free';
  // The lease counts until it is stale.
  if (input.lease === 'stale') return 'dead';
  if (!input.recorded) return 'held';
  const known = (a: unknown, b: unknown) => a !== null && b !== null;
  const thisBoot = known(input.bootId, input.selfBootId) && input.bootId === input.selfBootId;
  const anotherBoot = known(input.bootId, input.selfBootId) && input.bootId !== input.selfBootId;
  const thisNamespace =
    known(input.pidNamespace, input.selfPidNamespace) &&
    input.pidNamespace === input.selfPidNamespace;

  // "A record whose device or inode is not that of .lock is a copied directory, not a holder."
  const copied = input.inode !== SENTINEL.inode || (thisBoot && input.device !== SENTINEL.device);
  // "the kernel lock that it names is now ours"
  const itsKernelLockIsOurs = input.recordKernelLock && input.kernelLockHeld;
  // "its pid and start time are gone"
  const isGone = {
    unknown: false,
    none: true,
    another: input.processStart !== null && input.processStart !== input.startOfRecordedPid,
  };
  const now =
    input.startOfRecordedPid === undefined
      ? 'unknown'
      : input.startOfRecordedPid === null
        ? 'none'
        : 'another';
  // A worker thread that has ended left what it held, though its process lives.
  const itsThreadIsGone = input.thread === 'gone';
  // A record that names another lease is not that of this one's holder.
  const itsProcessIsGone =
    (isGone[now] || itsThreadIsGone) &&
    (input.leaseInode === null || input.leaseInode === LEASE_INODE);
  // One kernel, one file: its lock proves the holder dead in any pid namespace.
  const deadHere = thisBoot && (itsKernelLockIsOurs || (thisNamespace && itsProcessIsGone));
  // "or this host and another boot"
  const deadSinceReboot = anotherBoot && input.host === SELF.host;
  return copied || deadHere || deadSinceReboot ? 'dead' : 'held';
}

describe('lease decision', () => {
  test('agrees with the rules in words on every combination of its inputs', () => {
    const answers = { free: 0, dead: 0, held: 0 };
    const differing: unknown[] = [];
    for (const input of cases()) {
      const answer = decideLease(evidenceOf(input));
      answers[answer]++;
      if (answer !== rulesInWords(input))
        differing.push({ input, answer, design: rulesInWords(input) });
    }
    expect(differing.slice(0, 3)).toEqual([]);
    const total = Object.values(DOMAIN).reduce((product, { length }) => product * length, 1);
    expect(answers.free + answers.dead + answers.held).toBe(total);
    expect(Math.min(answers.free, answers.dead, answers.held)).toBeGreaterThan(0);
  });

  test('a live holder is never taken for dead, whatever else is unknown', () => {
    for (const input of cases()) {
      const itLives =
        input.processStart !== null &&
        input.processStart === input.startOfRecordedPid &&
        input.thread !== 'gone';
      const itIsHere = input.bootId === SELF.bootId && input.pidNamespace === SELF.pidNamespace;
      const itsLockIsItsOwn = !(input.recordKernelLock && input.kernelLockHeld);
      const itIsNoCopy = input.device === SENTINEL.device && input.inode === SENTINEL.inode;
      if (
        input.lease !== 'fresh' ||
        !input.recorded ||
        !itLives ||
        !itIsHere ||
        !itsLockIsItsOwn ||
        !itIsNoCopy
      ) {
        continue;
      }
      expect(decideLease(evidenceOf(input))).toBe('held');
    }
  });

  test('a holder on another host counts until its lease is stale, whatever device numbers that host uses', () => {
    for (const input of cases()) {
      if (input.lease !== 'fresh' || !input.recorded || input.host === SELF.host) continue;
      if (input.bootId === SELF.bootId || input.inode !== SENTINEL.inode) continue;
      expect(decideLease(evidenceOf(input))).toBe('held');
    }
  });
});
