import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type DiskImage, EMPTY_DISK } from '../../file-systems/disk-image.ts';
import { endStrays, newMark } from '../../workloads/stray-processes.ts';
import type { Recording } from './recording.ts';
import { parseSystemCalls } from './system-calls.ts';
import { traceOfCalls } from './trace-of-calls.ts';

/** What changes a directory, moves a position, or says which descriptor is which. */
const CALLS = [
  'open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,lseek,read,readv',
  'write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,splice',
  'truncate,ftruncate,fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat',
  'unlink,unlinkat,rmdir,mkdir,mkdirat,fsync,fdatasync,sync,syncfs,sync_file_range,msync',
  'mmap,io_uring_setup,chdir,fchdir,clone,clone3,fork,vfork',
].join();
/** Longer strings would be cut off; no write is as long. */
const LONGEST_STRING = 2 ** 26;

/** Nothing could be recorded, in words. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

export interface RecordedProgram {
  readonly command: readonly string[];
  /** Where it keeps its data; removed and made anew with `first` in it. */
  readonly directory: string;
  readonly cwd: string;
  readonly first?: DiskImage;
  /** Names of files in the directory that are left out of the recording. */
  readonly without?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A call that fails instead, as `strace -e inject=` takes it. */
  readonly inject?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ProgramRecord {
  readonly recording: Recording;
  /** Undefined when it was stopped. */
  readonly exitStatus: number | undefined;
  readonly isLate: boolean;
  /** Processes that were still at work when it was late; all are gone. */
  readonly strays: readonly string[];
  /** The end of what it wrote to its standard error. */
  readonly errors: string;
}

/** Why nothing can be recorded here, in words; undefined where it can. */
export function whyNoRecording(): string | undefined {
  if (process.platform !== 'linux')
    return `strace records on Linux only, not on ${process.platform}`;
  const isThere = (process.env.PATH ?? '')
    .split(delimiter)
    .some((directory) => existsSync(join(directory, 'strace')));
  return isThere ? undefined : 'strace is not installed (apt-get install strace)';
}

/** A memory file system where there is one. */
export function scratchDirectory(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidemark-crash-'));
}

/** Runs a program under strace to its end. */
export async function recordProgram(program: RecordedProgram): Promise<ProgramRecord> {
  const { command, cwd, first = EMPTY_DISK, environment = {}, inject, timeoutMs, signal } = program;
  writeDirectory(first, program.directory);
  const directory = realpathSync(program.directory);
  const scratch = scratchDirectory();
  const [output, told, said] = ['calls', 'output', 'errors'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  const mark = newMark();
  const descriptors = [openSync(told, 'a'), openSync(said, 'a')] as const;
  try {
    const options = ['-f', '--seccomp-bpf', '-y', '-xx', '-s', String(LONGEST_STRING)];
    const child = spawn(
      'strace',
      [
        ...options,
        ...['-e', 'signal=none', '-e', `trace=${CALLS}`],
        // What goes through it no system call shows; without it programs take ordinary calls.
        ...['-e', 'inject=io_uring_setup:error=ENOSYS'],
        ...(inject === undefined ? [] : ['-e', `inject=${inject}`]),
        ...['-o', output, '--', ...command],
      ],
      {
        cwd,
        detached: true,
        stdio: ['ignore', ...descriptors],
        env: { ...process.env, ...environment, ...mark, UV_USE_IO_URING: '0' },
      },
    );
    const { status, isLate, strays } = await ended(child, mark, timeoutMs, signal);
    const errors = readFileSync(said, 'utf8').slice(-2000).trim();
    if (!existsSync(output)) throw new RecordingError(`strace does not run: ${errors}`);
    const recording = traceOfCalls(parseSystemCalls(readFileSync(output, 'latin1')), {
      root: directory,
      cwd: realpathSync(cwd),
      first,
      without: program.without ?? [],
      last: status === undefined ? undefined : readDirectory(directory),
    });
    return { recording, exitStatus: status, isLate, strays, errors };
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Nothing that it started is left afterwards. */
function ended(
  child: ChildProcess,
  mark: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<{ status: number | undefined; isLate: boolean; strays: readonly string[] }> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    let strays: readonly string[] = [];
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone.
      }
      // strace itself is none of them.
      strays = [...strays, ...endStrays(mark)].filter((command) => !command.startsWith('strace '));
    };
    const late = setTimeout(() => {
      isLate = true;
      kill();
    }, timeoutMs);
    signal?.addEventListener('abort', kill);
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(late);
      signal?.removeEventListener('abort', kill);
      kill();
      resolve({ status: status ?? undefined, isLate, strays });
    });
  });
}

export function writeDirectory({ files, directories }: DiskImage, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const path of directories) mkdirSync(join(to, path), { recursive: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    writeFileSync(join(to, path), bytes);
  }
}

/**
 * Sets the times of an image as if the power had gone a while ago: locks that age in seconds are
 * stale after a start.
 */
export function ageDirectory({ files, directories }: DiskImage, at: string): void {
  const then = Date.now() / 1000 - AGE_SECONDS;
  for (const path of [...files.keys(), ...directories]) utimesSync(join(at, path), then, then);
}

const AGE_SECONDS = 3600;

export function readDirectory(from: string): DiskImage {
  const files = new Map<string, Buffer>();
  const directories = new Set(['/']);
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const path = join('/', entry.parentPath.slice(from.length), entry.name);
    if (entry.isDirectory()) directories.add(path);
    else if (entry.isFile()) files.set(path, readFileSync(join(from, path)));
  }
  return { files, directories };
}
