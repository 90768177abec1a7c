import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The size of all files under a directory, while somebody else adds and removes some. Undefined
 * when the directory is not there.
 */
export function directorySizeBytes(path: string): number | undefined {
  let names: string[];
  try {
    names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  } catch {
    return undefined;
  }
  let total = 0;
  for (const name of names) {
    const stat = statSync(join(path, name), { throwIfNoEntry: false });
    // What is on the disk, not how long a sparse or preallocated file claims to be.
    if (stat?.isFile()) total += Math.min(stat.size, stat.blocks * 512);
  }
  return total;
}
