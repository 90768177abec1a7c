import { dirname } from 'node:path';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import type { FileSystem } from './file-system.ts';

/** Creates the directory of a store and makes its name durable, parents included. */
export function prepareDirectory(fileSystem: FileSystem, directory: string): void {
  try {
    const stat = fileSystem.stat(directory);
    if (stat !== undefined && stat.kind !== 'directory') {
      throw new StoreError('NOT_A_DIRECTORY', `a store is a directory, and ${directory} is not one`, {
        path: directory,
      });
    }
    if (stat !== undefined) return;
    // One level after the other, each made durable before the next: whoever finds a directory, made by an opening that
    // was killed or that failed here, knows that at most its own name is not durable yet.
    const missing: string[] = [];
    let present = directory;
    for (; fileSystem.stat(present) === undefined; present = dirname(present)) missing.unshift(present);
    syncParent(fileSystem, present);
    for (const path of missing) {
      fileSystem.makeDirectory(path);
      syncParent(fileSystem, path);
    }
  } catch (error) {
    throw wrapSystemError(error, 'create the store', directory);
  }
}

/** A parent that may be passed through but not read was made by somebody else, who answers for its names. */
export function syncParent(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.directorySync(dirname(path));
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
  }
}
