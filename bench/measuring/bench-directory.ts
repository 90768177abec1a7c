import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeHost } from '../../harness/soak/result/host.ts';

/** Words on the command line, or a file that they name, that cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** File systems in memory. A benchmark of syncs would flatter there. */
const IN_MEMORY = ['tmpfs', 'ramfs'];

/**
 * Runs in a fresh directory on a real file system, and removes it, also when the run is
 * interrupted.
 */
export async function inBenchDirectory<T>(
  parent: string,
  allowTmpfs: boolean,
  run: (directory: string) => Promise<T>,
): Promise<T> {
  mkdirSync(parent, { recursive: true });
  const { fileSystem } = describeHost(parent);
  if (IN_MEMORY.includes(fileSystem) && !allowTmpfs) {
    throw new UsageError(
      `${parent} is on ${fileSystem}: name a directory on a real file system, or give --allow-tmpfs`,
    );
  }
  const directory = mkdtempSync(join(parent, 'tidemark-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await run(directory);
  } finally {
    process.off('exit', remove);
    remove();
  }
}
