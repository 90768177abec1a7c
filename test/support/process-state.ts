import { readFileSync } from 'node:fs';

/**
 * The state of a process in the letters of `ps`: T when it is stopped, Z when nobody has waited for
 * it; undefined when it is gone.
 */
export function processState(pid: number | string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}
