import { readdirSync, readFileSync } from 'node:fs';

/**
 * Stands in the environment of every process that a store is given to, and is inherited: a process
 * that left its group and its parent is still known by it.
 */
const MARK = 'TIDEMARK_STORE_PROCESS';
let count = 0;

/** A mark that no other process has, for the environment of one. */
export function newMark(): Record<string, string> {
  return { [MARK]: `${process.pid}-${Date.now()}-${count++}` };
}

/**
 * Kills what still runs under the mark, and tells it as commands. Linux only; elsewhere only the
 * process group goes.
 */
export function endStrays(mark: Readonly<Record<string, string>>): string[] {
  const wanted = `${MARK}=${mark[MARK]}\0`;
  return processes().flatMap((pid) => {
    if (!readOf(pid, 'environ').includes(wanted)) return [];
    const command = readOf(pid, 'cmdline').split('\0').join(' ').trim();
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return [];
    }
    // One that has died and is not yet waited for has no command any more.
    return command === '' ? [] : [command];
  });
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function readOf(pid: number, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It is gone, or somebody else's.
    return '';
  }
}
