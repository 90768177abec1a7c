import { readFileSync } from 'node:fs';

/**
 * As `ps` shows it, such as T for a process that is stopped and Z for one that nobody has waited
 * for; undefined when it is gone.
 */
export function processState(pid: number | string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}
