/**
 * The seam between the engine and the disk. One engine file implements it over `node:fs`; the
 * harness has an in-memory one whose crash images can be enumerated. Failures are thrown as the
 * `errno` errors of Node.
 *
 * Descriptors are plain numbers so that a hot read is one call with no wrapper object.
 */
export interface FileSystem {
  /** Names in a directory, in no order. */
  list(directory: string): string[];
  /** What stands at a path (links followed), or undefined when nothing does. */
  stat(path: string): FileStat | undefined;
  /** The absolute path without links of what stands at a path; ENOENT when nothing does. */
  realPath(path: string): string;
  /** What is open under a descriptor, whatever its name leads to by now. */
  statDescriptor(descriptor: number): FileStat;
  /** Bytes that may still be written to the file system of this path. */
  freeBytes(path: string): number;
  /**
   * Creates the directory and its parents, private to the user; returns the topmost one that it
   * created.
   */
  makeDirectory(path: string): string | undefined;
  /**
   * Puts a file or directory under another name, over whatever file stands there; atomic, and
   * durable only after `directorySync`.
   */
  rename(from: string, to: string): void;
  /**
   * One more name for a file. EEXIST where something stands, EXDEV on another device, ELOOP for a
   * symbolic link; some file systems cannot at all.
   */
  link(existing: string, path: string): void;
  /** Takes the name of a file away; whoever has it open reads on. ENOENT where there is none. */
  remove(path: string): void;
  /** Removes an empty directory; ENOTEMPTY otherwise. */
  removeDirectory(path: string): void;

  /**
   * `read` and `write` need an existing file; `create` fails with EEXIST on one. Never opens for
   * append.
   */
  open(path: string, mode: OpenMode): number;
  /** Gives the descriptor back to the kernel. */
  close(descriptor: number): void;
  /**
   * Closes the last descriptor of a large file that has no name any more. Freeing its blocks takes
   * milliseconds.
   */
  closeAsync(descriptor: number): Promise<void>;
  /** Bytes read, which may be fewer than asked; 0 is the end of the file. */
  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  /** Does what `read` does, off the event loop. `buffer` belongs to it until it is done. */
  readAsync(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** Bytes written, which may be fewer than asked. */
  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  /**
   * Several buffers in one call, one behind the other from `position`. Bytes written, which may be
   * fewer than asked.
   */
  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number;
  /** Makes the file so many bytes long: cuts it, or fills it up with zeros. */
  truncate(descriptor: number, sizeBytes: number): void;

  /** `fdatasync`: the data, and as much metadata as reading it back needs. */
  dataSync(descriptor: number): void;
  /**
   * Does what `dataSync` does, off the event loop. The kernel tells each open file description once
   * of a failure.
   */
  dataSyncAsync(descriptor: number): Promise<void>;
  /** `fsync` of a directory: the creates, renames and removals in it. */
  directorySync(path: string): void;
  /** Does what `directorySync` does, off the event loop. */
  directorySyncAsync(path: string): Promise<void>;

  /** Kernel lock on an open file, bound to this descriptor and released by the kernel at death. */
  tryLock(descriptor: number): KernelLockResult;
  /**
   * A lock kept alive by refreshing a directory beside `path`, for other hosts on a shared file
   * system.
   */
  holdLease(path: string, onCompromised: (error: Error) => void): Promise<Lease>;
  /**
   * Sets aside the lease with this inode, the leftover of a holder that is proved dead; leaves
   * another one alone. To be removed with what is returned once a new lease stands: until then its
   * inode must not be given to that one.
   */
  breakLease(path: string, inode: number): () => void;
}

export type OpenMode = 'read' | 'write' | 'create';

export type KernelLockResult = 'locked' | 'busy' | 'unsupported';

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other';
  readonly sizeBytes: number;
  readonly device: number;
  readonly inode: number;
  /** Never evidence of anything but "this file is not the one I saw before". */
  readonly modifiedMs: number;
}

export interface Lease {
  /** Milliseconds, by the monotonic clock, since the lease was last refreshed. */
  ageMs(): number;
  /** Gives the lease up, so that another host may take it at once. */
  release(): Promise<void>;
}

/** How old an unrefreshed lease must be before another host may take it. */
export const LEASE_STALE_MS = 10_000;

/**
 * Closes a descriptor whose work is done. What it failed to write a sync has reported before, and
 * on Linux it is gone whatever `close` says: an error here must not keep others from being closed.
 */
export function closeQuietly(fileSystem: FileSystem, descriptor: number): void {
  try {
    fileSystem.close(descriptor);
  } catch {
    // See above.
  }
}

/** Reads until `length` bytes are there or the file ends; returns how many there are. */
export function readFully(
  fileSystem: FileSystem,
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = fileSystem.read(
      descriptor,
      buffer,
      offset + done,
      length - done,
      position + done,
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of it: a short write is continued, one that makes no progress is an error. */
export function writeFully(
  fileSystem: FileSystem,
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const count = fileSystem.write(
      descriptor,
      buffer,
      offset + done,
      length - done,
      position + done,
    );
    if (count === 0) throw Object.assign(new Error('write made no progress'), { code: 'EIO' });
    done += count;
  }
}

/** The same for several buffers, without joining them. */
export function writeVectorFully(
  fileSystem: FileSystem,
  descriptor: number,
  buffers: readonly Uint8Array[],
  position: number,
): void {
  let rest = buffers;
  let at = position;
  for (;;) {
    let count = fileSystem.writeVector(descriptor, rest, at);
    at += count;
    let index = 0;
    while (index < rest.length && count >= (rest[index] as Uint8Array).length) {
      count -= (rest[index] as Uint8Array).length;
      index++;
    }
    if (index === rest.length) return;
    if (index === 0 && count === 0) {
      throw Object.assign(new Error('write made no progress'), { code: 'EIO' });
    }
    rest = [(rest[index] as Uint8Array).subarray(count), ...rest.slice(index + 1)];
  }
}

/** Opens a file to read; undefined when it does not exist. */
export function openIfPresent(fileSystem: FileSystem, path: string): number | undefined {
  try {
    return fileSystem.open(path, 'read');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads from a file and closes it; undefined when it does not exist. */
export function withFile<T>(
  fileSystem: FileSystem,
  path: string,
  use: (descriptor: number) => T,
): T | undefined {
  const descriptor = openIfPresent(fileSystem, path);
  if (descriptor === undefined) return undefined;
  try {
    return use(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}

/** The whole of a small file, or undefined when it does not exist. */
export function readSmallFile(
  fileSystem: FileSystem,
  path: string,
  limitBytes: number,
): Buffer | undefined {
  return withFile(fileSystem, path, (descriptor) => {
    const buffer = Buffer.alloc(limitBytes);
    return buffer.subarray(0, readFully(fileSystem, descriptor, buffer, 0, limitBytes, 0));
  });
}

/** Reads as many of these bytes of a file as there are; none when it does not exist. */
export function readSmallRange(
  fileSystem: FileSystem,
  path: string,
  position: number,
  length: number,
): Buffer {
  const bytes = withFile(fileSystem, path, (descriptor) => {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readFully(fileSystem, descriptor, buffer, 0, length, position));
  });
  return bytes ?? Buffer.alloc(0);
}
