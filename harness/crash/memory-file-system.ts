import { dirname, resolve } from 'node:path';
import type { FileStat, FileSystem, KernelLockResult, Lease, OpenMode } from '../../src/engine/index.ts';

/**
 * A file system in memory with the semantics that the engine relies on: positional reads and writes, sparse growth,
 * exclusive create, rename over, unlink of open files, kernel locks bound to descriptors. test/harness holds it and the
 * real one to one contract.
 */
export class MemoryFileSystem implements FileSystem {
  private readonly directories = new Map<string, number>([['/', 1]]);
  private readonly files = new Map<string, MemoryFile>();
  private readonly descriptors = new Map<number, { file: MemoryFile; mode: OpenMode }>();
  private readonly leases = new Set<string>();
  private nextInode = 2;
  private clockMs = 1;
  /** Never reused, so that a use after close is always caught. */
  private nextDescriptor = 1_000_000;

  get openDescriptorCount(): number {
    return this.descriptors.size;
  }

  /** The files as a process that starts after this one's death would find them: no descriptors, no locks, the lease stale. */
  afterProcessDeath(): MemoryFileSystem {
    const copy = new MemoryFileSystem();
    copy.nextInode = this.nextInode;
    copy.clockMs = this.clockMs;
    for (const [path, inode] of this.directories) copy.directories.set(path, inode);
    for (const [path, file] of this.files) {
      copy.files.set(path, { ...file, bytes: Buffer.from(file.bytes), lockedBy: undefined });
    }
    return copy;
  }

  readFile(path: string): Buffer {
    const file = this.fileAt(path);
    return Buffer.from(file.bytes.subarray(0, file.sizeBytes));
  }

  /** Creates or replaces a file, with a new inode. */
  writeFile(path: string, bytes: Uint8Array): void {
    const file = this.newFile(path);
    file.bytes = Buffer.from(bytes);
    file.sizeBytes = bytes.length;
    this.files.set(resolve(path), file);
  }

  /** Changes a file in place, as bit rot does. */
  mutate(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
    const file = this.fileAt(path);
    const bytes = this.readFile(path);
    file.bytes = change(bytes) ?? bytes;
    file.sizeBytes = file.bytes.length;
  }

  list(directory: string): string[] {
    const path = resolve(directory);
    if (!this.directories.has(path))
      throw errno(this.files.has(path) ? 'ENOTDIR' : 'ENOENT', 'scandir', path);
    const names = new Set<string>();
    for (const other of [...this.files.keys(), ...this.directories.keys(), ...this.leases]) {
      if (other !== path && dirname(other) === path)
        names.add(other.slice(path === '/' ? 1 : path.length + 1));
    }
    return [...names];
  }

  stat(path: string): FileStat | undefined {
    const at = resolve(path);
    const file = this.files.get(at);
    if (file !== undefined) return toStat(file);
    const inode = this.directories.get(at) ?? (this.leases.has(at) ? 0 : undefined);
    if (inode === undefined) return undefined;
    return { kind: 'directory', sizeBytes: 0, device: 1, inode, modifiedMs: 0 };
  }

  statDescriptor(descriptor: number): FileStat {
    return toStat(this.opened(descriptor, 'fstat').file);
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
    if (this.directories.has(source)) return this.renameDirectory(source, target);
    const file = this.fileAt(source);
    if (this.directories.has(target)) throw errno('EISDIR', 'rename', target);
    this.requireParent(target, 'rename');
    this.files.delete(source);
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
    if (this.directories.has(at)) throw errno(mode === 'create' ? 'EEXIST' : 'EISDIR', 'open', at);
    let file: MemoryFile;
    if (mode === 'create') {
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

  close(descriptor: number): void {
    const { file } = this.opened(descriptor, 'close');
    if (file.lockedBy === descriptor) file.lockedBy = undefined;
    this.descriptors.delete(descriptor);
  }

  read(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    const { file } = this.opened(descriptor, 'read');
    const count = Math.max(0, Math.min(length, file.sizeBytes - position));
    buffer.set(file.bytes.subarray(position, position + count), offset);
    return count;
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

  write(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    const file = this.writable(descriptor);
    const end = position + length;
    if (end > file.bytes.length) {
      const grown = Buffer.alloc(Math.max(end, file.bytes.length * 2, 256));
      file.bytes.copy(grown, 0, 0, file.sizeBytes);
      file.bytes = grown;
    }
    file.bytes.set(buffer.subarray(offset, offset + length), position);
    file.sizeBytes = Math.max(file.sizeBytes, end);
    file.modifiedMs = this.clockMs++;
    return length;
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    let done = 0;
    for (const buffer of buffers) done += this.write(descriptor, buffer, 0, buffer.length, position + done);
    return done;
  }

  truncate(descriptor: number, sizeBytes: number): void {
    const file = this.writable(descriptor);
    const bytes = Buffer.alloc(sizeBytes);
    file.bytes.copy(bytes, 0, 0, Math.min(sizeBytes, file.sizeBytes));
    file.bytes = bytes;
    file.sizeBytes = sizeBytes;
    file.modifiedMs = this.clockMs++;
  }

  dataSync(descriptor: number): void {
    this.opened(descriptor, 'fdatasync');
  }

  async dataSyncAsync(descriptor: number): Promise<void> {
    this.dataSync(descriptor);
  }

  directorySync(path: string): void {
    if (!this.directories.has(resolve(path))) throw errno('ENOENT', 'open', path);
  }

  async directorySyncAsync(path: string): Promise<void> {
    this.directorySync(path);
  }

  tryLock(descriptor: number): KernelLockResult {
    const { file } = this.opened(descriptor, 'lock');
    if (file.lockedBy !== undefined && file.lockedBy !== descriptor) return 'busy';
    file.lockedBy = descriptor;
    return 'locked';
  }

  async holdLease(path: string): Promise<Lease> {
    const lease = `${resolve(path)}.lock`;
    if (this.leases.has(lease))
      throw Object.assign(new Error('Lock file is already being held'), { code: 'ELOCKED' });
    this.leases.add(lease);
    return {
      ageMs: () => 0,
      release: async () => {
        this.leases.delete(lease);
      },
    };
  }

  breakLease(path: string): void {
    this.leases.delete(`${resolve(path)}.lock`);
  }

  private renameDirectory(source: string, target: string): void {
    if (this.files.has(target)) throw errno('ENOTDIR', 'rename', target);
    if (this.directories.has(target) && this.list(target).length > 0)
      throw errno('ENOTEMPTY', 'rename', target);
    this.requireParent(target, 'rename');
    const moved = (path: string) =>
      path === source || path.startsWith(`${source}/`) ? target + path.slice(source.length) : path;
    for (const [path, file] of [...this.files]) {
      this.files.delete(path);
      this.files.set(moved(path), file);
    }
    for (const [path, inode] of [...this.directories]) {
      this.directories.delete(path);
      this.directories.set(moved(path), inode);
    }
  }

  private newFile(path: string): MemoryFile {
    this.requireParent(resolve(path), 'open');
    return {
      inode: this.nextInode++,
      bytes: Buffer.alloc(0),
      sizeBytes: 0,
      modifiedMs: this.clockMs++,
      lockedBy: undefined,
    };
  }

  private fileAt(path: string): MemoryFile {
    const at = resolve(path);
    const file = this.files.get(at);
    if (file !== undefined) return file;
    throw errno(
      this.directories.has(at) ? 'EISDIR' : this.files.has(dirname(at)) ? 'ENOTDIR' : 'ENOENT',
      'open',
      at,
    );
  }

  private requireParent(path: string, action: string): void {
    const parent = dirname(path);
    if (!this.directories.has(parent))
      throw errno(this.files.has(parent) ? 'ENOTDIR' : 'ENOENT', action, path);
  }

  private opened(descriptor: number, action: string): { file: MemoryFile; mode: OpenMode } {
    const entry = this.descriptors.get(descriptor);
    if (entry === undefined) throw errno('EBADF', action, String(descriptor));
    return entry;
  }

  private writable(descriptor: number): MemoryFile {
    const { file, mode } = this.opened(descriptor, 'write');
    if (mode === 'read') throw errno('EBADF', 'write', String(descriptor));
    return file;
  }
}

interface MemoryFile {
  readonly inode: number;
  /** May be longer than the file. */
  bytes: Buffer;
  sizeBytes: number;
  modifiedMs: number;
  lockedBy: number | undefined;
}

function toStat(file: MemoryFile): FileStat {
  return {
    kind: 'file',
    sizeBytes: file.sizeBytes,
    device: 1,
    inode: file.inode,
    modifiedMs: file.modifiedMs,
  };
}

function errno(code: string, action: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${action} '${path}'`), { code });
}
