import { hostname } from 'node:os';
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
  /** Inode of the pid namespace: the same pid means different processes in different ones. */
  readonly pidNamespace: string | null;
  readonly host: string;
}

export function currentProcess(fileSystem: FileSystem): ProcessIdentity {
  const namespace = attempt(() => fileSystem.stat('/proc/self/ns/pid'));
  return {
    pid: process.pid,
    processStart: processStart(fileSystem, process.pid),
    bootId: smallText(fileSystem, '/proc/sys/kernel/random/boot_id'),
    pidNamespace: namespace === undefined ? null : String(namespace.inode),
    host: hostname(),
  };
}

/**
 * When the process started; null when there is no such process, undefined when that cannot be told.
 */
export function startOfProcess(fileSystem: FileSystem, pid: number): string | null | undefined {
  return processStart(fileSystem, pid) ?? (processExists(pid) ? undefined : null);
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

function processStart(fileSystem: FileSystem, pid: number): string | null {
  const text = smallText(fileSystem, `/proc/${pid}/stat`);
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
