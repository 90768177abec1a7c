import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compiledProgram } from '../../package-root.ts';
import { follow } from '../kills/kill-store.ts';
import { adoptState } from '../kills/kill-subject.ts';
import { KillHistory, killSteps } from '../kills/kill-workload.ts';
import { InvariantBroken, invariantOf } from '../promises/invariants.ts';
import { limitDescriptors } from './descriptor-limit.ts';

/**
 * The same faults as the kernel gives them: limits, a full disk, failing system calls. No code of
 * ours is in between.
 */

export interface OutsideOptions {
  /** Where the stores lie; those with findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Ends it after the present case. */
  readonly signal?: AbortSignal;
  readonly onCase?: (result: OutsideResult) => void;
}

export interface OutsideResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** What the child reported, the reason for skipping, or what is wrong. */
  readonly detail: string;
  readonly invariant?: string;
}

interface OutsideCase {
  readonly name: string;
  /** Program and arguments in front of the child's. */
  readonly wrapper: readonly string[];
  /** Limits the descriptors of the child, once it has opened, to so many more than it has. */
  readonly moreDescriptors?: number;
  /** Runs on a file system of its own, of so many KiB. */
  readonly diskKib?: number;
}

const FILE_SIZES = [0, 100, 4096, 5000, 8192, 20_000, 70_000, 300_000];
const MORE_DESCRIPTORS = [0, 1, 2, 3, 4, 6, 9];
const DISKS_KIB = [48, 100, 160, 500, 900];
const SYSCALL_COUNTS = [1, 2, 4, 7, 11, 20, 40];
const SYSCALLS = [
  ['fdatasync', 'EIO'],
  ['fsync', 'EIO'],
  ['pwrite64', 'ENOSPC'],
  ['pwrite64', 'EDQUOT'],
] as const;

export function outsideNames(): string[] {
  return allCases().map(({ name }) => name);
}

function allCases(): OutsideCase[] {
  return [
    ...FILE_SIZES.map((bytes) => ({
      name: `RLIMIT_FSIZE ${bytes}`,
      wrapper: ['prlimit', `--fsize=${bytes}`],
    })),
    ...MORE_DESCRIPTORS.map((moreDescriptors) => ({
      name: `RLIMIT_NOFILE ${moreDescriptors} more`,
      wrapper: [],
      moreDescriptors,
    })),
    ...DISKS_KIB.map((diskKib) => ({ name: `disk of ${diskKib} KiB`, wrapper: [], diskKib })),
    ...SYSCALLS.flatMap(([call, errno]) =>
      SYSCALL_COUNTS.map((count) => ({
        name: `${call} ${errno} from call ${count} of a thread`,
        wrapper: [
          'strace',
          '-f',
          '-qq',
          '-o',
          '/dev/null',
          '-e',
          `trace=${call}`,
          `--inject=${call}:error=${errno}:when=${count}+`,
        ],
      })),
    ),
  ];
}

/** Runs every case of `names`, or all; one after the other. */
export async function runOutside(
  options: OutsideOptions,
  isWanted: (name: string) => boolean = () => true,
): Promise<OutsideResult[]> {
  mkdirSync(options.directory, { recursive: true });
  const missing = missingTools();
  const results: OutsideResult[] = [];
  for (const one of allCases().filter(({ name }) => isWanted(name))) {
    if (options.signal?.aborted) break;
    const reason = missing(one);
    const result =
      reason === undefined
        ? await runCase(one, options)
        : { name: one.name, status: 'skipped' as const, detail: reason };
    // An interrupt that reached the case's processes as well says nothing of the store.
    if (options.signal?.aborted) break;
    results.push(result);
    options.onCase?.(result);
  }
  return results;
}

/** Says why a case cannot run here, or undefined. Each tool is tried once. */
function missingTools(): (one: OutsideCase) => string | undefined {
  const tried = new Map<string, string | undefined>();
  const reasonFor = (tool: string, args: readonly string[]): string | undefined => {
    if (!tried.has(tool)) {
      const { error, status, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
      const reason = error === undefined ? stderr.trim() : error.message;
      tried.set(tool, status === 0 ? undefined : `${tool} does not work here: ${reason}`);
    }
    return tried.get(tool);
  };
  return ({ wrapper, moreDescriptors, diskKib }) => {
    if (wrapper[0] === 'prlimit' || moreDescriptors !== undefined) return reasonFor('prlimit', []);
    if (wrapper[0] === 'strace')
      return reasonFor('strace', ['-f', '-qq', '-o', '/dev/null', process.execPath, '-e', '']);
    return diskKib === undefined
      ? undefined
      : reasonFor('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs tmpfs /tmp']);
  };
}

async function runCase(
  one: OutsideCase,
  { directory, seed }: OutsideOptions,
): Promise<OutsideResult> {
  const place = mkdtempSync(join(directory, 'outside-'));
  const store = join(place, 'store');
  try {
    const lines =
      one.diskKib === undefined
        ? await runChild(one, store, seed)
        : await runOnDisk(one, place, seed);
    checkLines(lines, seed);
    rmSync(place, { recursive: true, force: true });
    const told = lines.filter((line) => /^(?:failed|closed) /.test(line));
    return { name: one.name, status: 'passed', detail: told.join(', ') };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      name: one.name,
      status: 'failed',
      detail: `${message} (kept in ${place})`,
      invariant: invariantOf(error),
    };
  }
}

/** The child alone, then another that lists what it left, without any limit. */
async function runChild(one: OutsideCase, store: string, seed: number): Promise<string[]> {
  const program = compiledProgram('crash/faults/fault-child.js');
  const lines = await linesOf(
    [...one.wrapper, process.execPath, program, 'run', store, String(seed)],
    one.moreDescriptors,
  );
  return [...lines, ...(await linesOf([process.execPath, program, 'list', store]))];
}

/**
 * Runs in a mount namespace, with which the file system goes away. What was full is opened as it
 * is, then with more room.
 */
async function runOnDisk({ diskKib }: OutsideCase, place: string, seed: number): Promise<string[]> {
  const script = `
    mount -t tmpfs -o size=${diskKib}k tmpfs "$1" && head -c 16384 /dev/zero > "$1/filler" || exit 9
    "$2" "$3" run "$1/store" ${seed} || exit
    "$2" "$3" list "$1/store" > /dev/null || echo "full disk refused"
    rm "$1/filler"; "$2" "$3" list "$1/store"`;
  const program = compiledProgram('crash/faults/fault-child.js');
  return linesOf(['unshare', '-Urm', 'sh', '-c', script, 'sh', place, process.execPath, program]);
}

/** Runs a command to its end; throws when it does not end in order. */
async function linesOf(command: readonly string[], moreDescriptors?: number): Promise<string[]> {
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A count of calls is one of a thread, so there should be one only.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  });
  let text = '';
  let errors = '';
  let isReleased = false;
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    if (isReleased || !text.includes('opened ')) return;
    isReleased = true;
    if (moreDescriptors !== undefined) limitDescriptors(child.pid as number, moreDescriptors);
    child.stdin.end('\n');
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0)
    throw new InvariantBroken(
      'typed',
      `the process ended with ${code ?? signal}: ${errors.trim().slice(0, 1500)}`,
    );
  return text.split('\n').slice(0, -1);
}

/** What was acknowledged is there, and nothing that was not written. */
function checkLines(lines: readonly string[], seed: number): void {
  if (!lines.some((line) => line.startsWith('closed ')))
    throw new InvariantBroken('typed', 'the process did not close the store');
  const steps = lines.filter((line) => !/^(?:failed|closed|listed|full) /.test(line));
  const history = new KillHistory();
  const { acknowledged } = follow(history, killSteps(seed, 0), {
    opened: steps.length >= 2,
    acknowledgements: steps.slice(2),
  });
  const listed = lines.findLast((line) => line.startsWith('listed'));
  if (listed === undefined) throw new InvariantBroken('I2', 'the store does not open again');
  adoptState(pairsOf(listed, history), history, acknowledged);
}

function* pairsOf(line: string, history: KillHistory): Generator<[Buffer, Buffer]> {
  for (const pair of line.split(' ').slice(1).filter(Boolean)) {
    const [key, index] = pair.split('=') as [string, string];
    yield [
      Buffer.from(key),
      Buffer.from(index === 'wrong' ? index : history.valueOf(Number(index))),
    ];
  }
}
