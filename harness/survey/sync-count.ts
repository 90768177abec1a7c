import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { lifeOf } from '../crash/kills/store-life.ts';
import { MOST_OPENING_MS, type StoreSubject } from '../crash/kills/store-subject.ts';
import { runTask } from '../workloads/store-process.ts';

/** Syncs that a store made, as the kernel counted them, beside what it had acknowledged. */
export interface SyncCount {
  /** Writes that it acknowledged as surviving a power cut, or syncs, by its contract. */
  readonly promised: number;
  /** Calls of fsync, fdatasync, msync, sync_file_range, and files opened with O_SYNC or O_DSYNC. */
  readonly systemCalls: number;
}

const SYNC_CALLS = /\b(?:fsync|fdatasync|msync|sync_file_range|syncfs)\(|O_D?SYNC/;
const STEPS = 120;

/**
 * Lets the store work without a crash under strace, and counts: a second look that shares nothing
 * with kills and images but the workload.
 */
export async function countSyncs(
  subject: StoreSubject,
  directory: string,
  seed: number,
): Promise<SyncCount> {
  const { adapter, contract, shape } = subject;
  mkdirSync(directory, { recursive: true });
  const log = `${directory}.strace`;
  const trace = 'trace=fsync,fdatasync,msync,sync_file_range,syncfs,open,openat';
  const wrapper = ['strace', '-f', '-qq', '--seccomp-bpf', '-e', trace, '-o', log];
  const { ordered } = contract;
  const work = { task: 'work', adapter, directory, seed, round: 0, shape, ordered } as const;
  const { lines } = await runTask(
    { ...work, before: [], steps: STEPS, goesOn: true },
    { wrapper, mostMs: 2 * MOST_OPENING_MS },
  );
  const text = existsSync(log) ? readFileSync(log, 'latin1') : '';
  rmSync(log, { force: true });
  rmSync(directory, { recursive: true, force: true });
  const at = { seed, round: 0, before: new Map() };
  const life = lifeOf(subject, at, lines, 'power');
  return {
    promised: contract.put === 'power' ? life.required : life.syncs,
    systemCalls: text.split('\n').filter((line) => SYNC_CALLS.test(line)).length,
  };
}
