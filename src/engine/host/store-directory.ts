import { basename, dirname, join } from 'node:path';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import type { FileSystem } from './file-system.ts';

/**
 * Creates the directory of a store and makes its name durable, parents included. Errors are told of
 * `asked`, what the caller named.
 */
export function prepareDirectory(
  fileSystem: FileSystem,
  directory: string,
  asked = directory,
): void {
  try {
    const stat = fileSystem.stat(directory);
    if (stat !== undefined && stat.kind !== 'directory') {
      throw new StoreError(
        'NOT_A_DIRECTORY',
        `a store is a directory, and ${directory} is not one`,
        {
          path: directory,
        },
      );
    }
    if (stat !== undefined) return;
    // One level after the other, each made durable before the next: whoever finds a directory, made
    // by an opening that was killed or that failed here, knows that at most its own name is not
    // durable yet.
    const missing: string[] = [];
    let present = directory;
    for (; fileSystem.stat(present) === undefined; present = dirname(present))
      missing.unshift(present);
    syncParent(fileSystem, present);
    for (const path of missing) {
      fileSystem.makeDirectory(path);
      syncParent(fileSystem, path);
    }
  } catch (error) {
    throw wrapSystemError(error, 'create the store', asked);
  }
}

/**
 * A parent that may be passed through but not read was made by somebody else, who answers for its
 * names.
 */
export function syncParent(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.directorySync(dirname(path));
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
  }
}

/** Where a path that need not exist leads to, links followed: they may lead elsewhere later. */
export function resolveTarget(fileSystem: FileSystem, path: string): string {
  const missing: string[] = [];
  let present = path;
  for (; fileSystem.stat(present) === undefined; present = dirname(present))
    missing.unshift(basename(present));
  return join(fileSystem.realPath(present), ...missing);
}
