import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { errnoOf } from './errors.ts';
import { type FileSystem, readSmallFile } from './file-system.ts';

/**
 * What tells one process from every other, as far as this platform says; null where it does not
 * say.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process (field 22 of `/proc/PID/stat`). */
  readonly processStart: string | null;
  readonly bootId: string | null;
  /**
   * The thread that runs this: its number in the pid namespace, and when it started. A worker
   * thread may end, and leave what it held, while its process goes on. Absent in records of
   * earlier versions.
   */
  readonly thread?: { readonly id: number; readonly start: string } | null;
  /** Inode of the pid namespace: the same pid means different processes in different ones. */
  readonly pidNamespace: string | null;
  readonly host: string;
}

export function currentProcess(fileSystem: FileSystem): ProcessIdentity {
  const namespace = attempt(() => fileSystem.stat('/proc/self/ns/pid'));
  return {
    pid: process.pid,
    processStart: startIn(fileSystem, `/proc/${process.pid}/stat`),
    thread: currentThread(fileSystem),
    bootId: smallText(fileSystem, '/proc/sys/kernel/random/boot_id'),
    pidNamespace: namespace === undefined ? null : String(namespace.inode),
    host: hostname(),
  };
}

/**
 * When the process started; null when there is no such process, undefined when that cannot be told.
 */
export function startOfProcess(fileSystem: FileSystem, pid: number): string | null | undefined {
  return startIn(fileSystem, `/proc/${pid}/stat`) ?? (processExists(pid) ? undefined : null);
}

/** The same for one thread of a process that exists. */
export function startOfThread(
  fileSystem: FileSystem,
  pid: number,
  threadId: number,
): string | null | undefined {
  const path = threadStat(pid, threadId);
  const start = startIn(fileSystem, path);
  if (start !== null) return start;
  // Nothing is known where the threads of that process cannot be seen at all.
  const canSee = attempt(() => fileSystem.stat(dirname(dirname(path)))) !== undefined;
  const isThere = attempt(() => ({ stat: fileSystem.stat(path) }));
  return canSee && isThere !== undefined && isThere.stat === undefined ? null : undefined;
}

function threadStat(pid: number, threadId: number): string {
  return `/proc/${pid}/task/${threadId}/stat`;
}

/** The link leads to `/proc/PID/task/TID`. */
function currentThread(fileSystem: FileSystem): { id: number; start: string } | null {
  const path = attempt(() => fileSystem.realPath('/proc/thread-self')) ?? '';
  const id = Number(/\/task\/(\d+)$/.exec(path)?.[1]);
  const start = Number.isNaN(id) ? null : startIn(fileSystem, threadStat(process.pid, id));
  return start === null ? null : { id, start };
}

/**
 * Signal 0 reaches nobody; failing to send it for lack of permission shows that there is somebody.
 */
function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

function startIn(fileSystem: FileSystem, statPath: string): string | null {
  const text = smallText(fileSystem, statPath);
  if (text === null) return null;
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}

function smallText(fileSystem: FileSystem, path: string): string | null {
  const bytes = attempt(() => readSmallFile(fileSystem, path, 4096));
  return bytes === undefined ? null : bytes.toString('utf8').trim();
}

/**
 * An identity that cannot be read is unknown, never an error: it only makes the lock more careful.
 */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
