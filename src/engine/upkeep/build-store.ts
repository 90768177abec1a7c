import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { prepareDirectory, resolveTarget } from '../host/store-directory.ts';
import { placeBuildMarker, removeBackupMarker } from '../lock/backup-marker.ts';

/**
 * Has a new store built on the disk of its target, durably, and put into place. A target that does
 * not exist is there whole, or not at all: the store is built beside it and renamed. A directory
 * that exists may be the root of another disk, which nothing can be renamed over: the store is
 * built in a directory inside, and its files are moved up behind a marker that keeps everybody from
 * opening it until all of them are there. A process that dies meanwhile leaves a directory whose
 * name has `unfinished-` in it. Throws `TARGET_NOT_EMPTY`.
 */
export async function buildStore<T>(
  fileSystem: FileSystem,
  asked: string,
  build: (directory: string) => Promise<T>,
): Promise<T> {
  const place = atTarget(asked, () => new BuildPlace(fileSystem, asked));
  try {
    atTarget(asked, () => place.prepare());
    const built = await build(place.unfinished);
    atTarget(asked, () => place.publish());
    return built;
  } catch (error) {
    try {
      place.clear();
    } catch {
      // What went wrong first is what to tell.
    }
    throw ofCopy(error, asked);
  }
}

/** A write that failed in the copy tells of no store that anybody could reopen. */
function ofCopy(error: unknown, asked: string): unknown {
  if (!(error instanceof StoreError) || !['WRITE_FAILED', 'SYNC_FAILED'].includes(error.code))
    return error;
  const { cause = error } = error;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(error.code, `the copy at ${asked} was given up, and is gone: ${why}`, {
    path: asked,
    cause,
  });
}

/** What goes wrong here is the target's fault, and not that of what is copied. */
function atTarget<T>(asked: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw wrapSystemError(error, 'create the store', asked);
  }
}

class BuildPlace {
  /** Where the store is built. */
  readonly unfinished: string;
  private readonly fileSystem: FileSystem;
  private readonly asked: string;
  private readonly target: string;
  private readonly isInside: boolean;
  /** Files that were moved up. */
  private readonly moved: string[] = [];
  private isMarked = false;

  constructor(fileSystem: FileSystem, asked: string) {
    this.fileSystem = fileSystem;
    this.asked = asked;
    this.target = resolveTarget(fileSystem, asked);
    this.isInside = fileSystem.stat(this.target) !== undefined;
    this.checkEmpty([]);
    const name = `unfinished-${randomBytes(6).toString('hex')}`;
    this.unfinished = this.isInside ? join(this.target, name) : `${this.target}.${name}`;
  }

  prepare(): void {
    prepareDirectory(this.fileSystem, this.unfinished, this.asked);
  }

  publish(): void {
    const { fileSystem, target, unfinished } = this;
    if (this.isInside) this.moveUp();
    else {
      this.checkEmpty([]);
      fileSystem.rename(unfinished, target);
      fileSystem.directorySync(dirname(target));
    }
  }

  /** Removes what this has made. */
  clear(): void {
    const { fileSystem, target, unfinished } = this;
    if (fileSystem.stat(unfinished) !== undefined) {
      for (const name of fileSystem.list(unfinished)) fileSystem.remove(join(unfinished, name));
      fileSystem.removeDirectory(unfinished);
    }
    for (const name of this.moved) fileSystem.remove(join(target, name));
    if (this.isMarked) removeBackupMarker(fileSystem, target);
  }

  private moveUp(): void {
    const { fileSystem, target, unfinished } = this;
    this.checkEmpty([unfinished]);
    placeBuildMarker(fileSystem, target);
    this.isMarked = true;
    for (const name of fileSystem.list(unfinished)) {
      fileSystem.rename(join(unfinished, name), join(target, name));
      this.moved.push(name);
    }
    fileSystem.removeDirectory(unfinished);
    removeBackupMarker(fileSystem, target);
    this.isMarked = false;
  }

  private checkEmpty(own: readonly string[]): void {
    const { fileSystem, target, asked } = this;
    const stat = fileSystem.stat(target);
    if (stat === undefined) return;
    const isDirectory = stat.kind === 'directory';
    if (isDirectory && fileSystem.list(target).every((name) => own.includes(join(target, name))))
      return;
    throw new StoreError('TARGET_NOT_EMPTY', `${asked} is not an empty directory; name a new one`, {
      path: asked,
    });
  }
}
