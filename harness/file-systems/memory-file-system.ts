import { basename, dirname, resolve as resolvePath } from 'node:path';
import type {
  FileStat,
  FileSystem,
  KernelLockResult,
  Lease,
  OpenMode,
} from '../../src/engine/index.ts';
import { MemoryFile } from './memory-file.ts';

/**
 * A file system in memory with the semantics that the engine relies on: positional reads and
 * writes, sparse growth, exclusive create, rename over, unlink of open files, kernel locks bound to
 * descriptors. test/harness holds it and the real one to one contract.
 */
export class MemoryFileSystem implements FileSystem {
  private readonly directories = new Map<string, number>([['/', 1]]);
  private readonly files = new Map<string, MemoryFile>();
  private readonly descriptors = new Map<number, { file: MemoryFile; mode: OpenMode }>();
  /**
   * Directories that `holdLease` made. Held here they never go stale; a dead process leaves none.
   */
  private readonly leases = new Set<string>();
  private nextInode = 2;
  private clockMs = 1;
  /** Never reused, so that a use after close is always caught. */
  private nextDescriptor = 1_000_000;

  get openDescriptorCount(): number {
    return this.descriptors.size;
  }

  /** One for each open descriptor, whether or not a name still leads to it. */
  get openInodes(): number[] {
    return [...this.descriptors.values()].map(({ file }) => file.stat().inode);
  }

  /**
   * What a process that starts after this one's death would find: no descriptors, no locks, the
   * lease stale and gone.
   */
  afterProcessDeath(): MemoryFileSystem {
    const copy = new MemoryFileSystem();
    copy.nextInode = this.nextInode;
    copy.clockMs = this.clockMs;
    for (const [path, inode] of this.directories) {
      if (!this.leases.has(path)) copy.directories.set(path, inode);
    }
    const copies = new Map<MemoryFile, MemoryFile>();
    for (const [path, file] of this.files) {
      const copied = copies.get(file) ?? file.unlockedCopy();
      copies.set(file, copied);
      copy.files.set(path, copied);
    }
    return copy;
  }

  /** Whoever holds kernel locks loses them, as a process that dies does. */
  releaseKernelLocks(): void {
    for (const file of this.files.values()) file.lockedBy = undefined;
  }

  readFile(path: string): Buffer {
    return this.fileAt(path).contents();
  }

  /** Creates or replaces a file, with a new inode. */
  writeFile(path: string, bytes: Uint8Array): void {
    const file = this.newFile(path);
    file.replace(bytes);
    this.files.set(resolve(path), file);
  }

  /** Does what `writeFile` does, without a copy: the bytes must not change any more. */
  shareFile(path: string, bytes: Buffer): void {
    const file = this.newFile(path);
    file.share(bytes);
    this.files.set(resolve(path), file);
  }

  /** Changes a file in place, as bit rot does. */
  mutate(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
    const file = this.fileAt(path);
    const bytes = this.readFile(path);
    file.replace(change(bytes) ?? bytes);
  }

  freeBytes(): number {
    return Number.POSITIVE_INFINITY;
  }

  list(directory: string): string[] {
    const path = resolve(directory);
    this.requireDirectory(path, 'scandir');
    const paths = [...this.files.keys(), ...this.directories.keys()];
    return paths
      .filter((other) => other !== path && dirname(other) === path)
      .map((other) => basename(other));
  }

  stat(path: string): FileStat | undefined {
    const at = resolve(path);
    const file = this.files.get(at);
    if (file !== undefined) return file.stat();
    const inode = this.directories.get(at);
    // A lease is refreshed all the time.
    const modifiedMs = this.leases.has(at) ? Date.now() : 0;
    if (inode !== undefined) return new MemoryFile('directory', inode, modifiedMs).stat();
    const error = this.absent(at, 'stat');
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }

  /** There are no links here. */
  realPath(path: string): string {
    if (this.stat(path) === undefined) throw this.absent(resolve(path), 'realpath');
    return resolve(path);
  }

  statDescriptor(descriptor: number): FileStat {
    return this.opened(descriptor, 'fstat').file.stat();
  }

  makeDirectory(path: string): string | undefined {
    const at = resolve(path);
    if (this.files.has(at)) throw errno('EEXIST', 'mkdir', at);
    if (this.directories.has(at)) return undefined;
    if (this.files.has(dirname(at))) throw errno('ENOTDIR', 'mkdir', at);
    const topmost = this.makeDirectory(dirname(at));
    this.directories.set(at, this.nextInode++);
    return topmost ?? at;
  }

  rename(from: string, to: string): void {
    const source = resolve(from);
    const target = resolve(to);
    this.requireDirectory(dirname(source), 'rename');
    this.requireDirectory(dirname(target), 'rename');
    const file = this.files.get(source);
    if (file === undefined && !this.directories.has(source))
      throw errno('ENOENT', 'rename', source);
    if (source === target) return;
    if (target.startsWith(`${source}/`)) throw errno('EINVAL', 'rename', target);
    if (source.startsWith(`${target}/`)) throw errno('ENOTEMPTY', 'rename', target);
    if (file === undefined) {
      this.renameDirectory(source, target);
      return;
    }
    if (this.directories.has(target)) throw errno('EISDIR', 'rename', target);
    // Two names of one file are left as they are.
    if (this.files.get(target) === file) return;
    this.files.delete(source);
    this.files.set(target, file);
  }

  link(existing: string, path: string): void {
    const source = resolve(existing);
    const target = resolve(path);
    const file = this.files.get(source);
    if (file === undefined && !this.directories.has(source)) throw this.absent(source, 'link');
    this.requireDirectory(dirname(target), 'link');
    if (this.files.has(target) || this.directories.has(target))
      throw errno('EEXIST', 'link', target);
    if (file === undefined) throw errno('EPERM', 'link', source);
    this.files.set(target, file);
  }

  remove(path: string): void {
    this.fileAt(path);
    this.files.delete(resolve(path));
  }

  removeDirectory(path: string): void {
    if (this.list(path).length > 0) throw errno('ENOTEMPTY', 'rmdir', path);
    this.directories.delete(resolve(path));
  }

  open(path: string, mode: OpenMode): number {
    const at = resolve(path);
    const directory = this.directories.get(at);
    if (directory !== undefined && mode !== 'read') {
      throw errno(mode === 'create' ? 'EEXIST' : 'EISDIR', 'open', at);
    }
    let file: MemoryFile;
    if (directory !== undefined) {
      file = new MemoryFile('directory', directory, 0);
    } else if (mode === 'create') {
      if (this.files.has(at)) throw errno('EEXIST', 'open', at);
      file = this.newFile(at);
      this.files.set(at, file);
    } else {
      file = this.fileAt(at);
    }
    const descriptor = this.nextDescriptor++;
    this.descriptors.set(descriptor, { file, mode });
    return descriptor;
  }

  async closeAsync(descriptor: number): Promise<void> {
    this.close(descriptor);
  }

  close(descriptor: number): void {
    const { file } = this.opened(descriptor, 'close');
    if (file.lockedBy === descriptor) file.lockedBy = undefined;
    this.descriptors.delete(descriptor);
  }

  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const { file } = this.opened(descriptor, 'read');
    if (file.kind === 'directory') throw errno('EISDIR', 'read', String(descriptor));
    return file.read(buffer, offset, length, position);
  }

  async readAsync(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.read(descriptor, buffer, offset, length, position);
  }

  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const file = this.writable(descriptor, 'EBADF');
    if (length === 0) return 0;
    file.write(buffer.subarray(offset, offset + length), position);
    file.modifiedMs = this.clockMs++;
    return length;
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    this.writable(descriptor, 'EBADF');
    let done = 0;
    for (const buffer of buffers)
      done += this.write(descriptor, buffer, 0, buffer.length, position + done);
    return done;
  }

  truncate(descriptor: number, sizeBytes: number): void {
    const file = this.writable(descriptor, 'EINVAL');
    file.truncate(sizeBytes);
    file.modifiedMs = this.clockMs++;
  }

  dataSync(descriptor: number): void {
    this.opened(descriptor, 'fdatasync');
  }

  async dataSyncAsync(descriptor: number): Promise<void> {
    this.dataSync(descriptor);
  }

  directorySync(path: string): void {
    this.requireDirectory(resolve(path), 'open');
  }

  async directorySyncAsync(path: string): Promise<void> {
    this.directorySync(path);
  }

  tryLock(descriptor: number): KernelLockResult {
    const file = this.writable(descriptor, 'EBADF');
    if (file.lockedBy !== undefined && file.lockedBy !== descriptor) return 'busy';
    file.lockedBy = descriptor;
    return 'locked';
  }

  async holdLease(path: string): Promise<Lease> {
    const lease = `${resolve(path)}.lock`;
    this.requireDirectory(dirname(lease), 'mkdir');
    if (this.stat(lease) !== undefined)
      throw leaseError('ELOCKED', 'Lock file is already being held');
    this.directories.set(lease, this.nextInode++);
    this.leases.add(lease);
    let released = false;
    return {
      ageMs: () => 0,
      release: async () => {
        if (released) throw leaseError('ERELEASED', 'Lock is already released');
        released = true;
        this.leases.delete(lease);
        this.directories.delete(lease);
      },
    };
  }

  breakLease(path: string, inode: number): () => void {
    const lease = `${resolve(path)}.lock`;
    if (this.directories.get(lease) === inode) {
      this.leases.delete(lease);
      this.directories.delete(lease);
    }
    return () => {};
  }

  private renameDirectory(source: string, target: string): void {
    if (this.files.has(target)) throw errno('ENOTDIR', 'rename', target);
    if (this.directories.has(target) && this.list(target).length > 0)
      throw errno('ENOTEMPTY', 'rename', target);
    const moved = (path: string) =>
      path === source || path.startsWith(`${source}/`) ? target + path.slice(source.length) : path;
    for (const [path, file] of [...this.files]) {
      this.files.delete(path);
      this.files.set(moved(path), file);
    }
    for (const [path, inode] of [...this.directories]) {
      if (moved(path) === path) continue;
      this.directories.delete(path);
      this.directories.set(moved(path), inode);
    }
  }

  private newFile(path: string): MemoryFile {
    this.requireDirectory(dirname(resolve(path)), 'open');
    return new MemoryFile('file', this.nextInode++, this.clockMs++);
  }

  private fileAt(path: string): MemoryFile {
    const at = resolve(path);
    const file = this.files.get(at);
    if (file !== undefined) return file;
    throw this.directories.has(at) ? errno('EISDIR', 'open', at) : this.absent(at, 'open');
  }

  private requireDirectory(path: string, action: string): void {
    if (this.directories.has(path)) return;
    throw this.files.has(path) ? errno('ENOTDIR', action, path) : this.absent(path, action);
  }

  /** Why nothing is found at a path: one of its parents is a file, or something is missing. */
  private absent(path: string, action: string): SystemError {
    let parent = dirname(path);
    while (!this.files.has(parent) && !this.directories.has(parent)) parent = dirname(parent);
    return errno(this.files.has(parent) ? 'ENOTDIR' : 'ENOENT', action, path);
  }

  private opened(descriptor: number, action: string): { file: MemoryFile; mode: OpenMode } {
    const entry = this.descriptors.get(descriptor);
    if (entry === undefined) throw errno('EBADF', action, String(descriptor));
    return entry;
  }

  private writable(descriptor: number, refusal: 'EBADF' | 'EINVAL'): MemoryFile {
    const { file, mode } = this.opened(descriptor, 'write');
    if (mode === 'read') throw errno(refusal, 'write', String(descriptor));
    return file;
  }
}

interface SystemError extends Error {
  readonly code: string;
}

/**
 * Every opening meets some, and taking down where costs more than all the rest of a call: they have
 * no stack.
 */
function errno(code: string, action: string, path: string): SystemError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(`${code}: ${action} '${path}'`), { code });
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

/** The few absolute paths of a store come again and again. */
const resolvedPaths = new Map<string, string>();
const MOST_RESOLVED_PATHS = 10_000;

function resolve(path: string): string {
  let resolved = resolvedPaths.get(path);
  if (resolved === undefined) {
    if (!path.startsWith('/')) return resolvePath(path);
    if (resolvedPaths.size === MOST_RESOLVED_PATHS) resolvedPaths.clear();
    resolved = resolvePath(path);
    resolvedPaths.set(path, resolved);
  }
  return resolved;
}

function leaseError(code: string, message: string): SystemError {
  return Object.assign(new Error(message), { code });
}
