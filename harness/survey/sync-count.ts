import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { StoreContract } from '../contract.ts';
import { MOST_OPENING_MS, type StoreSubject } from '../crash/kills/store-subject.ts';
import { runTask } from '../workloads/store-process.ts';
import { type WorkStep, workSteps } from '../workloads/work-steps.ts';

/** Syncs that a store made, as the kernel counted them, beside what it had acknowledged. */
export interface SyncCount {
  /** Writes that it acknowledged as surviving a power cut, or syncs, by its contract. */
  readonly promised: number;
  /**
   * The promised ones before which no sync call had returned since the last write began; undefined
   * when a file was opened with O_SYNC or O_DSYNC, whose writes are syncs themselves.
   */
  readonly withoutSync: number | undefined;
  /** Calls of fsync, fdatasync, msync, sync_file_range and syncfs. */
  readonly systemCalls: number;
}

const SYNC_CALL = /^\d+ +(?:<\.\.\. )?(?:fsync|fdatasync|msync|sync_file_range|syncfs)\b/;
const RETURNED = /\) += 0$/;
const TOLD = /^\d+ +writev\(1<[^>]*>, \[\{iov_base="ok (\d+)"/;
const STEPS = 120;

/**
 * Lets the store work without a crash under strace, and counts: a second look that shares nothing
 * with kills and images but the workload. What the store tells stands in the same stream.
 */
export async function countSyncs(
  subject: StoreSubject,
  directory: string,
  seed: number,
): Promise<SyncCount> {
  const { adapter, contract, shape } = subject;
  mkdirSync(directory, { recursive: true });
  const log = `${directory}.strace`;
  const trace = 'trace=fsync,fdatasync,msync,sync_file_range,syncfs,open,openat,writev';
  const wrapper = ['strace', '-f', '-qq', '-y', '--seccomp-bpf', '-e', trace, '-o', log];
  const { ordered } = contract;
  const work = { task: 'work', adapter, directory, seed, round: 0, shape, ordered } as const;
  await runTask(
    { ...work, before: [], steps: STEPS, goesOn: true },
    { wrapper, mostMs: 2 * MOST_OPENING_MS },
  );
  const text = existsSync(log) ? readFileSync(log, 'latin1') : '';
  rmSync(log, { force: true });
  rmSync(directory, { recursive: true, force: true });
  const kinds: WorkStep['kind'][] = [];
  for (const step of workSteps(seed, 0, shape)) if (kinds.push(step.kind) === STEPS) break;
  return countIn(text, kinds, contract);
}

/** Counts the syncs in what strace wrote with `-f -y`; `kinds` are those of the steps told. */
export function countIn(
  text: string,
  kinds: readonly WorkStep['kind'][],
  { put, sync }: Pick<StoreContract, 'put' | 'sync'>,
): SyncCount {
  let promised = 0;
  let withoutSync = 0;
  let systemCalls = 0;
  let opensSynced = false;
  /** Syncs since the last step was told, and since the last write began. */
  let sinceTold = 0;
  let sinceWrite = 0;
  for (const line of text.split('\n')) {
    if (/O_D?SYNC/.test(line)) opensSynced = true;
    if (SYNC_CALL.test(line) && RETURNED.test(line)) {
      systemCalls++;
      sinceTold++;
      sinceWrite++;
    }
    const number = TOLD.exec(line)?.[1];
    if (number === undefined) continue;
    const kind = kinds[Number(number)];
    const isWrite = kind === 'write' || kind === 'iterate';
    if (isWrite) sinceWrite = sinceTold;
    if (put === 'power' ? isWrite : kind === 'sync' && sync === 'power') {
      promised++;
      if (sinceWrite === 0) withoutSync++;
    }
    sinceTold = 0;
  }
  return { promised, withoutSync: opensSynced ? undefined : withoutSync, systemCalls };
}
