import type { StoreError } from './errors.ts';
import {
  closeQuietly,
  type FileStat,
  type FileSystem,
  type KernelLockResult,
  type Lease,
  type OpenMode,
} from './file-system.ts';
import type { HeldDirectory } from './held-directory.ts';

/** What is asked before a change, beside the directory. */
export interface WriteGuard {
  /**
   * Throws where nothing may be written any more. Asked before every write: no system call.
   * Undefined where the kernel keeps others out.
   */
  readonly beforeWrite: (() => void) | undefined;
  /** Told what is wrong before it is thrown. */
  readonly onMoved: (objection: StoreError) => void;
}

/**
 * A file system for whoever holds a directory: before a name in it is made, changed or removed, it
 * looks whether the directory is still the one that is held, and throws `STORE_MOVED` where it is
 * not. A file that is opened to be read is looked at afterwards. Other paths are passed on.
 */
export class GuardedFileSystem implements FileSystem {
  readonly inner: FileSystem;
  private readonly held: HeldDirectory;
  private readonly guard: WriteGuard;
  private readonly prefix: string;
  /** Directories that are held for a while, such as the target of a backup. */
  private others: readonly HeldDirectory[] = [];

  constructor(inner: FileSystem, held: HeldDirectory, guard: WriteGuard) {
    this.inner = inner;
    this.held = held;
    this.guard = guard;
    this.prefix = prefixOf(held);
  }

  /** Looks after one more directory until the function that it returns is called. */
  holdAlso(other: HeldDirectory): () => void {
    this.others = [...this.others, other];
    return () => {
      this.others = this.others.filter((held) => held !== other);
    };
  }

  open(path: string, mode: OpenMode): number {
    if (mode !== 'read') this.checkNames(path);
    const descriptor = this.inner.open(path, mode);
    if (mode === 'read' && path.startsWith(this.prefix)) this.checkRead(descriptor);
    return descriptor;
  }

  makeDirectory(path: string): string | undefined {
    this.checkNames(path);
    return this.inner.makeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.checkNames(from, to);
    this.inner.rename(from, to);
  }

  link(existing: string, path: string): void {
    this.checkNames(existing, path);
    this.inner.link(existing, path);
  }

  remove(path: string): void {
    this.checkNames(path);
    this.inner.remove(path);
  }

  removeDirectory(path: string): void {
    this.checkNames(path);
    this.inner.removeDirectory(path);
  }

  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    this.guard.beforeWrite?.();
    return this.inner.write(descriptor, buffer, offset, length, position);
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    this.guard.beforeWrite?.();
    return this.inner.writeVector(descriptor, buffers, position);
  }

  truncate(descriptor: number, sizeBytes: number): void {
    this.guard.beforeWrite?.();
    this.inner.truncate(descriptor, sizeBytes);
  }

  list(directory: string): string[] {
    return this.inner.list(directory);
  }

  stat(path: string): FileStat | undefined {
    return this.inner.stat(path);
  }

  realPath(path: string): string {
    return this.inner.realPath(path);
  }

  statDescriptor(descriptor: number): FileStat {
    return this.inner.statDescriptor(descriptor);
  }

  freeBytes(path: string): number {
    return this.inner.freeBytes(path);
  }

  close(descriptor: number): void {
    this.inner.close(descriptor);
  }

  closeAsync(descriptor: number): Promise<void> {
    return this.inner.closeAsync(descriptor);
  }

  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    return this.inner.read(descriptor, buffer, offset, length, position);
  }

  readAsync(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.inner.readAsync(descriptor, buffer, offset, length, position);
  }

  dataSync(descriptor: number): void {
    this.inner.dataSync(descriptor);
  }

  dataSyncAsync(descriptor: number): Promise<void> {
    return this.inner.dataSyncAsync(descriptor);
  }

  directorySync(path: string): void {
    try {
      this.inner.directorySync(path);
    } catch (error) {
      this.checkSynced(path);
      throw error;
    }
  }

  async directorySyncAsync(path: string): Promise<void> {
    try {
      await this.inner.directorySyncAsync(path);
    } catch (error) {
      this.checkSynced(path);
      throw error;
    }
  }

  tryLock(descriptor: number): KernelLockResult {
    return this.inner.tryLock(descriptor);
  }

  holdLease(path: string, onCompromised: (error: Error) => void): Promise<Lease> {
    return this.inner.holdLease(path, onCompromised);
  }

  breakLease(path: string, inode: number): () => void {
    return this.inner.breakLease(path, inode);
  }

  private checkNames(...paths: readonly string[]): void {
    for (const other of this.others) {
      if (!paths.some((path) => path.startsWith(prefixOf(other)))) continue;
      const objection = other.objection();
      if (objection !== undefined) throw objection;
    }
    if (!paths.some((path) => path.startsWith(this.prefix))) return;
    this.guard.beforeWrite?.();
    this.refuse(this.held.objection());
  }

  /**
   * Checks for a file that was opened past this, and throws where the file may be another store's.
   */
  checkDirectory(): void {
    this.refuse(this.held.directoryObjection());
  }

  /** A directory that was moved away cannot be synced by its name: then that is what happened. */
  private checkSynced(path: string): void {
    if (path === this.held.directory) this.refuse(this.held.objection());
  }

  private checkRead(descriptor: number): void {
    try {
      this.checkDirectory();
    } catch (error) {
      closeQuietly(this.inner, descriptor);
      throw error;
    }
  }

  private refuse(objection: StoreError | undefined): void {
    if (objection === undefined) return;
    this.guard.onMoved(objection);
    throw objection;
  }
}

/**
 * The file system below a guard. Reading from a descriptor is never guarded, and on the way of a
 * `get` each layer is felt.
 */
export function withoutGuard(fileSystem: FileSystem): FileSystem {
  return fileSystem instanceof GuardedFileSystem ? fileSystem.inner : fileSystem;
}

function prefixOf({ directory }: HeldDirectory): string {
  return directory.endsWith('/') ? directory : `${directory}/`;
}
