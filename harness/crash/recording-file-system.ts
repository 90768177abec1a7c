import { resolve } from 'node:path';
import type { FileStat, FileSystem, KernelLockResult, Lease, OpenMode } from '../../src/engine/index.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import type { TraceEvent } from './trace.ts';

/** Passes everything on to a file system in memory, and keeps a trace of what a power cut could undo. */
export class RecordingFileSystem implements FileSystem {
  readonly trace: TraceEvent[];
  private readonly inner: MemoryFileSystem;
  private alive = true;

  constructor(inner: MemoryFileSystem, trace: TraceEvent[] = []) {
    this.inner = inner;
    this.trace = trace;
  }

  /** What the next process finds, recorded into the same trace. Nothing that this one still does reaches the disk. */
  afterProcessDeath(): RecordingFileSystem {
    this.alive = false;
    return new RecordingFileSystem(this.inner.afterProcessDeath(), this.trace);
  }

  private record(event: TraceEvent): void {
    if (this.alive) this.trace.push(event);
  }

  list(directory: string): string[] {
    return this.inner.list(directory);
  }

  stat(path: string): FileStat | undefined {
    return this.inner.stat(path);
  }

  statDescriptor(descriptor: number): FileStat {
    return this.inner.statDescriptor(descriptor);
  }

  makeDirectory(path: string): string | undefined {
    const topmost = this.inner.makeDirectory(path);
    if (topmost === undefined) return undefined;
    const created: string[] = [];
    for (let at = resolve(path); at.length >= topmost.length; at = resolve(at, '..')) created.unshift(at);
    for (const one of created) this.record({ kind: 'makeDirectory', path: one });
    return topmost;
  }

  rename(from: string, to: string): void {
    this.inner.rename(from, to);
    this.record({ kind: 'rename', from: resolve(from), to: resolve(to) });
  }

  remove(path: string): void {
    this.inner.remove(path);
    this.record({ kind: 'remove', path: resolve(path) });
  }

  removeDirectory(path: string): void {
    this.inner.removeDirectory(path);
    this.record({ kind: 'removeDirectory', path: resolve(path) });
  }

  open(path: string, mode: OpenMode): number {
    const descriptor = this.inner.open(path, mode);
    if (mode === 'create')
      this.record({ kind: 'create', path: resolve(path), inode: this.inodeOf(descriptor) });
    return descriptor;
  }

  close(descriptor: number): void {
    this.inner.close(descriptor);
  }

  read(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
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

  write(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = this.inner.write(descriptor, buffer, offset, length, position);
    const bytes = Buffer.from(buffer.subarray(offset, offset + count));
    this.record({ kind: 'write', inode: this.inodeOf(descriptor), position, bytes });
    return count;
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    const bytes = Buffer.concat(buffers);
    return this.write(descriptor, bytes, 0, bytes.length, position);
  }

  truncate(descriptor: number, sizeBytes: number): void {
    this.inner.truncate(descriptor, sizeBytes);
    this.record({ kind: 'truncate', inode: this.inodeOf(descriptor), sizeBytes });
  }

  dataSync(descriptor: number): void {
    const since = this.trace.length;
    this.inner.dataSync(descriptor);
    this.record({ kind: 'dataSync', inode: this.inodeOf(descriptor), since });
  }

  async dataSyncAsync(descriptor: number): Promise<void> {
    const since = this.trace.length;
    const inode = this.inodeOf(descriptor);
    // Whatever is written before the answer comes is not covered by it.
    await this.inner.dataSyncAsync(descriptor);
    this.record({ kind: 'dataSync', inode, since });
  }

  directorySync(path: string): void {
    const since = this.trace.length;
    this.inner.directorySync(path);
    this.record({ kind: 'directorySync', path: resolve(path), since });
  }

  async directorySyncAsync(path: string): Promise<void> {
    const since = this.trace.length;
    await this.inner.directorySyncAsync(path);
    this.record({ kind: 'directorySync', path: resolve(path), since });
  }

  tryLock(descriptor: number): KernelLockResult {
    return this.inner.tryLock(descriptor);
  }

  holdLease(path: string): Promise<Lease> {
    return this.inner.holdLease(path);
  }

  breakLease(path: string): void {
    this.inner.breakLease(path);
  }

  private inodeOf(descriptor: number): number {
    return this.inner.statDescriptor(descriptor).inode;
  }
}
