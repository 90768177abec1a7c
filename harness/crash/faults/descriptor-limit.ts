import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** Lets the process open so many more descriptors than it has open now. */
export function limitDescriptors(pid: number, more: number): void {
  // The limit is on the number of a descriptor, and the lowest free number is the next.
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let free = 0; free <= more; limit++) if (!open.has(limit)) free++;
  spawnSync('prlimit', ['--pid', String(pid), `--nofile=${limit - 1}:${limit - 1}`]);
}
