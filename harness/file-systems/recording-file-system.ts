import { resolve } from 'node:path';
import type {
  FileStat,
  FileSystem,
  KernelLockResult,
  Lease,
  OpenMode,
} from '../../src/engine/index.ts';
import { type DiskImage, imageOf } from './disk-image.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import { systemError } from './system-error.ts';
import type { TraceEvent } from './trace.ts';
import { Writeback } from './writeback.ts';

/**
 * Passes everything on to a file system in memory, and keeps a trace of what a power cut could
 * undo. On request a call that changes the disk fails, or the process dies in it. `Note` is what
 * its owner writes into the trace beside that.
 */
export class RecordingFileSystem<Note = never> implements FileSystem {
  readonly trace: (TraceEvent | Note)[];
  private readonly inner: MemoryFileSystem;
  private readonly writeback: Writeback;
  private alive = true;
  private interruption: { kind: 'death' | 'failure'; callsLeft: number } | undefined;
  private failureCount = 0;
  /** The rest of a write that was cut short finds no room. */
  private noRoom = false;

  constructor(
    inner: MemoryFileSystem,
    trace: (TraceEvent | Note)[] = [],
    writeback = new Writeback(),
  ) {
    this.inner = inner;
    this.trace = trace;
    this.writeback = writeback;
  }

  /**
   * What the next process finds, recorded into the same trace. Nothing that this one still does
   * reaches the disk.
   */
  afterProcessDeath(): RecordingFileSystem<Note> {
    this.alive = false;
    return new RecordingFileSystem(
      this.inner.afterProcessDeath(),
      this.trace,
      this.writeback.afterProcessDeath(),
    );
  }

  get isDead(): boolean {
    return !this.alive;
  }

  get openDescriptorCount(): number {
    return this.inner.openDescriptorCount;
  }

  /** Failures that calls were told of. */
  get failures(): number {
    return this.failureCount;
  }

  /**
   * The process dies in the n-th call from now that changes the disk: a write half done, anything
   * else not at all.
   */
  dieIn(calls: number): void {
    this.interruption = { kind: 'death', callsLeft: calls };
  }

  /** The n-th call from now that changes the disk fails, a write after half of it. */
  failIn(calls: number): void {
    this.interruption = { kind: 'failure', callsLeft: calls };
  }

  /** No call was interrupted, and none will be. */
  calmDown(): void {
    this.interruption = undefined;
  }

  /**
   * The kernel fails to write back one of the files with unsynced bytes; the next sync of it will
   * hear of that.
   */
  failWriteback(pick: number): void {
    const inode = this.writeback.pickDirty(pick);
    if (inode === undefined) return;
    this.record({ kind: 'writebackFailed', inode, since: this.writeback.fail(inode) });
  }

  readFile(path: string): Buffer {
    return this.inner.readFile(path);
  }

  /** Everything, as a process sees it. */
  image(): DiskImage {
    return imageOf(this.inner.afterProcessDeath());
  }

  list(directory: string): string[] {
    return this.living.list(directory);
  }

  stat(path: string): FileStat | undefined {
    return this.living.stat(path);
  }

  realPath(path: string): string {
    return this.living.realPath(path);
  }

  statDescriptor(descriptor: number): FileStat {
    return this.living.statDescriptor(descriptor);
  }

  freeBytes(): number {
    return this.living.freeBytes();
  }

  makeDirectory(path: string): string | undefined {
    if (this.living.stat(path) === undefined) this.change('mkdir');
    const topmost = this.inner.makeDirectory(path);
    if (topmost === undefined) return undefined;
    const created: string[] = [];
    for (let at = resolve(path); at.length >= topmost.length; at = resolve(at, '..'))
      created.unshift(at);
    for (const one of created) this.record({ kind: 'makeDirectory', path: one });
    return topmost;
  }

  rename(from: string, to: string): void {
    this.change('rename');
    const before = this.inner.stat(from);
    // Two names of one file are left as they are.
    if (before?.kind === 'file' && before.inode === this.inner.stat(to)?.inode) return;
    this.inner.rename(from, to);
    const stat = this.inner.stat(to);
    const inode = stat?.kind === 'file' ? stat.inode : undefined;
    this.record({ kind: 'rename', from: resolve(from), to: resolve(to), inode });
  }

  link(existing: string, path: string): void {
    this.change('link');
    this.inner.link(existing, path);
    // One more name for an inode: for the disk the same as its first.
    const { inode } = this.inner.stat(path) as FileStat;
    this.record({ kind: 'create', path: resolve(path), inode });
  }

  remove(path: string): void {
    this.change('unlink');
    this.inner.remove(path);
    this.record({ kind: 'remove', path: resolve(path) });
  }

  removeDirectory(path: string): void {
    this.change('rmdir');
    this.inner.removeDirectory(path);
    this.record({ kind: 'removeDirectory', path: resolve(path) });
  }

  open(path: string, mode: OpenMode): number {
    if (mode === 'create') this.change('open');
    const descriptor = this.living.open(path, mode);
    const inode = this.inodeOf(descriptor);
    this.writeback.open(descriptor, inode);
    if (mode === 'create') this.record({ kind: 'create', path: resolve(path), inode });
    return descriptor;
  }

  async closeAsync(descriptor: number): Promise<void> {
    this.close(descriptor);
  }

  close(descriptor: number): void {
    this.writeback.close(descriptor);
    this.inner.close(descriptor);
  }

  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    return this.living.read(descriptor, buffer, offset, length, position);
  }

  readAsync(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.living.readAsync(descriptor, buffer, offset, length, position);
  }

  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    if (this.noRoom) {
      this.noRoom = false;
      throw systemError('ENOSPC', 'write');
    }
    const met = this.meetInterruption();
    if (met === undefined) return this.writeBytes(descriptor, buffer, offset, length, position);
    const half = length >>> 1;
    if (half > 0) this.writeBytes(descriptor, buffer, offset, half, position);
    if (met === 'death') this.die();
    if (half === 0) throw systemError('ENOSPC', 'write');
    this.noRoom = true;
    return half;
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    const bytes = Buffer.concat(buffers);
    return this.write(descriptor, bytes, 0, bytes.length, position);
  }

  truncate(descriptor: number, sizeBytes: number): void {
    this.change('ftruncate');
    this.inner.truncate(descriptor, sizeBytes);
    const inode = this.inodeOf(descriptor);
    this.writeback.write(inode);
    this.record({ kind: 'truncate', inode, sizeBytes });
  }

  dataSync(descriptor: number): void {
    const since = this.trace.length;
    this.syncInKernel(descriptor, since);
    this.record({ kind: 'dataSync', inode: this.inodeOf(descriptor), since });
  }

  /**
   * The kernel is done before anybody hears of it: what is written meanwhile is not covered by its
   * answer.
   */
  async dataSyncAsync(descriptor: number): Promise<void> {
    const since = this.trace.length;
    const inode = this.inodeOf(descriptor);
    let failure: unknown;
    try {
      this.syncInKernel(descriptor, since);
    } catch (error) {
      failure = error;
    }
    await answerFromPool();
    this.checkAlive();
    if (failure !== undefined) throw failure;
    this.record({ kind: 'dataSync', inode, since });
  }

  directorySync(path: string): void {
    const since = this.trace.length;
    this.change('fsync');
    this.inner.directorySync(path);
    this.record({ kind: 'directorySync', path: resolve(path), since });
  }

  async directorySyncAsync(path: string): Promise<void> {
    const since = this.trace.length;
    this.change('fsync');
    this.inner.directorySync(path);
    await answerFromPool();
    this.checkAlive();
    this.record({ kind: 'directorySync', path: resolve(path), since });
  }

  tryLock(descriptor: number): KernelLockResult {
    return this.living.tryLock(descriptor);
  }

  async holdLease(path: string): Promise<Lease> {
    return this.living.holdLease(path);
  }

  breakLease(path: string, inode: number): () => void {
    return this.living.breakLease(path, inode);
  }

  private get living(): MemoryFileSystem {
    this.checkAlive();
    return this.inner;
  }

  private checkAlive(): void {
    if (!this.alive) throw new ProcessDeath();
  }

  private die(): never {
    this.alive = false;
    throw new ProcessDeath();
  }

  /** Counts a call that changes the disk. */
  private meetInterruption(): 'death' | 'failure' | undefined {
    this.checkAlive();
    if (this.interruption === undefined || --this.interruption.callsLeft > 0) return undefined;
    const { kind } = this.interruption;
    this.interruption = undefined;
    if (kind === 'failure') this.failureCount++;
    return kind;
  }

  private change(call: string): void {
    const met = this.meetInterruption();
    if (met === 'death') this.die();
    if (met === 'failure') throw systemError('EIO', call);
  }

  private writeBytes(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const count = this.inner.write(descriptor, buffer, offset, length, position);
    const inode = this.inodeOf(descriptor);
    this.writeback.write(inode);
    const bytes = Buffer.from(buffer.subarray(offset, offset + count));
    this.record({ kind: 'write', inode, position, bytes });
    return count;
  }

  private syncInKernel(descriptor: number, since: number): void {
    const met = this.meetInterruption();
    if (met === 'death') this.die();
    if (met === 'failure') {
      const inode = this.inodeOf(descriptor);
      this.record({ kind: 'writebackFailed', inode, since: this.writeback.fail(inode) });
    }
    this.inner.dataSync(descriptor);
    if (this.writeback.sync(descriptor, since)) return;
    this.failureCount++;
    throw systemError('EIO', 'fdatasync');
  }

  private record(event: TraceEvent): void {
    if (this.alive) this.trace.push(event);
  }

  private inodeOf(descriptor: number): number {
    return this.inner.statDescriptor(descriptor).inode;
  }
}

/** Whoever meets it no longer runs; it is thrown because nothing else ends a call. */
class ProcessDeath extends Error {
  override readonly name = 'ProcessDeath';

  constructor() {
    super('the process died here');
  }
}

/** Microtasks that an answer of the thread pool takes, so that a step or two fit in between. */
const POOL_TURNS = 4;

async function answerFromPool(): Promise<void> {
  for (let turn = 0; turn < POOL_TURNS; turn++) await undefined;
}
