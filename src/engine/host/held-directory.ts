import { dirname } from 'node:path';
import { errnoOf, StoreError } from './errors.ts';
import type { FileStat, FileSystem } from './file-system.ts';

/** Which file, on this machine and while it is open. */
type FileIdentity = Pick<FileStat, 'device' | 'inode'>;

/**
 * A directory and a file in it that says whose it is, as they were when this process took them. A
 * store is a directory, not a path: whoever moves, removes or replaces it, or re-points a link on
 * the way to it, changes what the path leads to, and nothing may then be written by name, or be
 * acknowledged. The file is open, or cannot go away alone: so neither inode can be given to another
 * file meanwhile.
 */
export class HeldDirectory {
  private readonly fileSystem: FileSystem;
  readonly directory: string;
  private readonly path: string;
  private readonly directoryHeld: FileIdentity | undefined;
  private readonly fileHeld: FileIdentity | undefined;

  /** `path` lies in the directory; `file` is what stands there. */
  constructor(fileSystem: FileSystem, path: string, file: FileIdentity | undefined) {
    this.fileSystem = fileSystem;
    this.directory = dirname(path);
    this.path = path;
    this.directoryHeld = fileSystem.stat(this.directory);
    this.fileHeld = file;
  }

  /** What is wrong with directory or file; undefined while both are what they were. */
  objection(): StoreError | undefined {
    return this.directoryObjection() ?? this.fileObjection();
  }

  /** What is wrong with the directory alone: enough for whoever reads a file in it. */
  directoryObjection(): StoreError | undefined {
    const { fileSystem, directory, directoryHeld } = this;
    return objectionTo(fileSystem, directory, directory, directoryHeld);
  }

  /** What is wrong with the file alone: one look, where the directory was looked at before. */
  fileObjection(): StoreError | undefined {
    const { fileSystem, directory, path, fileHeld } = this;
    return objectionTo(fileSystem, directory, path, fileHeld);
  }
}

/** What is wrong where a path of the store does not lead to the file that was opened there. */
export function objectionTo(
  fileSystem: FileSystem,
  directory: string,
  path: string,
  held: FileIdentity | undefined,
): StoreError | undefined {
  let now: FileIdentity | undefined;
  let cause: unknown;
  try {
    now = fileSystem.stat(path);
  } catch (error) {
    // What cannot be looked at is not known to be ours.
    cause = error;
  }
  if (now !== undefined && now.inode === held?.inode && now.device === held.device)
    return undefined;
  const errno = errnoOf(cause);
  const unseen = errno === undefined ? 'is gone' : `cannot be looked at (${errno})`;
  const what = now === undefined ? unseen : 'is another one now';
  return new StoreError(
    'STORE_MOVED',
    `${path} ${what}: it was moved, removed or replaced while the store was open. Nothing was written into what stands there, and what was not acknowledged before may be lost; close this store and open it where it is`,
    {
      path: directory,
      reason: now === undefined ? 'gone' : 'replaced',
      cause,
      indeterminate: true,
    },
  );
}
