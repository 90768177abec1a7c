import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTask } from '../../workloads/store-process.ts';
import { MOST_OPENING_MS, type StoreSubject } from './store-subject.ts';

/** System calls that change what a disk holds, or make it durable. */
export const CHANGING_CALLS = [
  'write',
  'pwrite64',
  'writev',
  'pwritev',
  'pwritev2',
  'ftruncate',
  'truncate',
  'fallocate',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'unlink',
  'unlinkat',
  'mkdir',
  'mkdirat',
  'rmdir',
  'fsync',
  'fdatasync',
  'msync',
  'sync_file_range',
  'copy_file_range',
  'sendfile',
] as const;
/** Calls that a store makes and that change nothing; they can fail all the same. */
const OTHER_CALLS = ['open', 'openat', 'read', 'pread64', 'close'] as const;

/** One kind of call that a store makes on its files. */
export interface StoreCalls {
  readonly call: string;
  readonly count: number;
}

export interface StoreCallsReport {
  readonly calls: readonly StoreCalls[];
  /** Every path in the store that a call named, relative to its directory; '' is that itself. */
  readonly paths: readonly string[];
}

/** One thread in libuv's pool: a count of calls is one of a thread. */
export const ONE_THREAD = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' };
/** The length of the workload in which calls are counted, and into which faults are injected. */
export const COUNTED_STEPS = 90;

/** Why nothing can be done with strace here; undefined where it works. */
export function reasonWithoutStrace(): string | undefined {
  const words = ['-f', '-qq', '--seccomp-bpf', '-e', 'trace=fsync', '-o', '/dev/null', 'true'];
  const { error, status, stderr } = spawnSync('strace', words, { encoding: 'utf8' });
  if (error !== undefined) return `strace does not run here: ${error.message}`;
  return status === 0 ? undefined : `strace does not work here: ${stderr.trim()}`;
}

/** Lets the store work once, and counts the calls that it makes on its own files. */
export async function countCalls(
  subject: StoreSubject,
  directory: string,
  seed: number,
): Promise<StoreCallsReport> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const place = realpathSync(directory);
  const log = `${place}.calls`;
  const { adapter, shape, contract } = subject;
  const trace = [...CHANGING_CALLS, ...OTHER_CALLS].join();
  const wrapper = [
    'strace',
    '-f',
    '-qq',
    '-y',
    '-s',
    '0',
    '--seccomp-bpf',
    '-e',
    `trace=${trace}`,
    '-o',
    log,
  ];
  const task = {
    task: 'work',
    adapter,
    directory: place,
    seed,
    round: 0,
    shape,
    ordered: contract.ordered,
    before: [],
    steps: COUNTED_STEPS,
    goesOn: true,
  } as const;
  await runTask(task, { wrapper, environment: ONE_THREAD, mostMs: 2 * MOST_OPENING_MS });
  const text = existsSync(log) ? readFileSync(log, 'latin1') : '';
  for (const path of [log, directory]) rmSync(path, { recursive: true, force: true });
  return parseCalls(text, place);
}

/** Reads what strace wrote with `-f -y`: a thread, and a call with its descriptors' paths. */
export function parseCalls(text: string, place: string): StoreCallsReport {
  const counts = new Map<string, number>();
  const paths = new Set<string>();
  for (const line of text.split('\n')) {
    const call = /^\d+ +(?:<\.\.\. )?(\w+)[( ]/.exec(line)?.[1];
    if (call === undefined || line.includes('<... ')) continue;
    const named = [...line.matchAll(/[<"]((?:\/|\.)[^>"]*)[>"]/g)].map(
      ([, path]) => path as string,
    );
    const own = named.filter((path) => path === place || path.startsWith(`${place}/`));
    if (own.length === 0) continue;
    for (const path of own) paths.add(path.slice(place.length + 1));
    counts.set(call, (counts.get(call) ?? 0) + 1);
  }
  return {
    calls: [...counts].map(([call, count]) => ({ call, count })),
    paths: [...paths],
  };
}

/** Options of strace that limit it to calls on these files of a store. */
export function pathFilter(directory: string, paths: readonly string[]): string[] {
  return paths.flatMap((path) => ['-P', path === '' ? directory : join(directory, path)]);
}
