import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
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

/**
 * Has a new store built beside its target, durably, and renamed into place: it is there whole, or
 * not at all. A process that dies meanwhile leaves a directory named `…unfinished-…`. Throws
 * `TARGET_NOT_EMPTY`.
 */
export async function buildStore<T>(
  fileSystem: FileSystem,
  target: string,
  build: (directory: string) => Promise<T>,
): Promise<T> {
  try {
    checkEmpty(fileSystem, target);
  } catch (error) {
    throw wrapSystemError(error, 'create the store', target);
  }
  const unfinished = `${target}.unfinished-${randomBytes(6).toString('hex')}`;
  try {
    prepareDirectory(fileSystem, unfinished, target);
    const built = await build(unfinished);
    checkEmpty(fileSystem, target);
    fileSystem.rename(unfinished, target);
    fileSystem.directorySync(dirname(target));
    return built;
  } catch (error) {
    try {
      removeFlatDirectory(fileSystem, unfinished);
    } catch {
      // What went wrong first is what to tell.
    }
    throw error;
  }
}

function checkEmpty(fileSystem: FileSystem, target: string): void {
  const stat = fileSystem.stat(target);
  if (stat === undefined || (stat.kind === 'directory' && fileSystem.list(target).length === 0))
    return;
  throw new StoreError('TARGET_NOT_EMPTY', `${target} is not an empty directory; name a new one`, {
    path: target,
  });
}

function removeFlatDirectory(fileSystem: FileSystem, directory: string): void {
  if (fileSystem.stat(directory) === undefined) return;
  for (const name of fileSystem.list(directory)) fileSystem.remove(join(directory, name));
  fileSystem.removeDirectory(directory);
}
