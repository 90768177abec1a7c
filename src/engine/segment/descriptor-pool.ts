import { segmentPath } from '../format/segment-name.ts';
import { closeQuietly, type FileSystem } from '../host/file-system.ts';
import type { SegmentFiles } from './segment-files.ts';

export interface PooledDescriptor {
  /** See `SegmentFiles`. */
  readonly file: number;
  readonly descriptor: number;
  /** Reads in flight. A descriptor that is taken out while in use is closed by its last user. */
  uses: number;
  retired: boolean;
  /** Was it pinned? Then closing it may free the file. */
  isLast: boolean;
}

/** Looks at a descriptor that was just opened; throws when it is not the file that is wanted. */
export type OpenCheck = (segmentId: number, descriptor: number) => void;

/** Open read descriptors of segments, at most `capacity` of them, least recently used out first. */
export class DescriptorPool {
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly capacity: number;
  private readonly files: SegmentFiles;
  /**
   * Reads that found their segment open, that had to open it, and descriptors closed for others.
   */
  hits = 0;
  misses = 0;
  evictions = 0;
  private readonly verify: OpenCheck | undefined;
  /** The pooled descriptors in order of use: the first is the next to go. */
  private readonly pooled = new Map<number, PooledDescriptor>();
  /**
   * Files whose names are about to be taken by others: what is still to be read of them is read
   * here.
   */
  private readonly pinned = new Map<number, PooledDescriptor>();
  private latest: PooledDescriptor | undefined;
  private inUse = 0;
  private opened = 0;
  /** Descriptors that are being closed in the thread pool. */
  private readonly closing = new Set<Promise<void>>();
  private onIdle: (() => void) | undefined;
  private closed = false;

  constructor(
    fileSystem: FileSystem,
    directory: string,
    files: SegmentFiles,
    capacity: number,
    verify: OpenCheck | undefined,
  ) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.files = files;
    this.capacity = capacity;
    this.verify = verify;
  }

  /** Open descriptors, those in use that are no longer in the pool included. */
  get openCount(): number {
    return this.opened;
  }

  /** An open descriptor of the file. Give it back with `release`, also after a failed read. */
  acquire(file: number): PooledDescriptor {
    const entry = this.find(file);
    entry.uses++;
    this.inUse++;
    return entry;
  }

  release(entry: PooledDescriptor): void {
    entry.uses--;
    this.inUse--;
    if (entry.retired && entry.uses === 0) this.closeEntry(entry);
    if (this.inUse === 0) this.onIdle?.();
  }

  /**
   * Does what `acquire` does, for work that is over before anything else can happen. Call
   * `giveBack` if the descriptor is `retired` then.
   */
  borrow(file: number): PooledDescriptor {
    return this.find(file);
  }

  giveBack(entry: PooledDescriptor): void {
    if (entry.uses === 0) this.closeEntry(entry);
  }

  /** Holds a file open, beyond the capacity, until `unpin`. */
  pin(file: number): void {
    const entry = this.pooled.get(file) ?? this.open(file);
    this.pooled.delete(file);
    this.pinned.set(file, entry);
  }

  /**
   * Closes a file that nothing points to any more, once the reads in flight have ended. In the
   * thread pool, because this is where the kernel frees what the file held. Settles when all that
   * can be closed now is closed.
   */
  async unpin(file: number): Promise<void> {
    const entry = this.pinned.get(file);
    if (entry === undefined) return;
    this.pinned.delete(file);
    if (this.latest === entry) this.latest = undefined;
    entry.isLast = true;
    this.retire(entry);
    await Promise.all(this.closing);
  }

  /** Takes a file out of the pool, if it is there. */
  drop(file: number): void {
    const entry = this.pooled.get(file);
    if (entry === undefined) return;
    this.pooled.delete(file);
    if (this.latest === entry) this.latest = undefined;
    this.retire(entry);
  }

  /** Closes everything once the reads in flight have ended. */
  async close(): Promise<void> {
    this.closed = true;
    for (const entry of [...this.pooled.values(), ...this.pinned.values()]) this.retire(entry);
    this.pooled.clear();
    this.pinned.clear();
    this.latest = undefined;
    if (this.inUse > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
    }
    await Promise.all(this.closing);
  }

  private find(file: number): PooledDescriptor {
    // Reads come in runs on one segment: no need to move it in the order each time.
    if (this.latest?.file === file) {
      this.hits++;
      return this.latest;
    }
    const pooled = this.pooled.get(file);
    if (pooled !== undefined) {
      this.hits++;
      this.pooled.delete(file);
      this.pooled.set(file, pooled);
      this.latest = pooled;
      return pooled;
    }
    const pinned = this.pinned.get(file);
    if (pinned !== undefined) {
      this.hits++;
      return pinned;
    }
    this.misses++;
    const entry = this.open(file);
    if (this.capacity === 0 || this.closed) {
      entry.retired = true;
      return entry;
    }
    this.pooled.set(file, entry);
    this.latest = entry;
    if (this.pooled.size > this.capacity) this.evictOldest();
    return entry;
  }

  private open(file: number): PooledDescriptor {
    const segmentId = this.files.segmentIdOf(file);
    const descriptor = this.fileSystem.open(segmentPath(this.directory, segmentId), 'read');
    try {
      this.verify?.(segmentId, descriptor);
    } catch (error) {
      closeQuietly(this.fileSystem, descriptor);
      throw error;
    }
    this.opened++;
    return { file, descriptor, uses: 0, retired: false, isLast: false };
  }

  private evictOldest(): void {
    const oldest = this.pooled.values().next().value as PooledDescriptor;
    this.pooled.delete(oldest.file);
    this.evictions++;
    this.retire(oldest);
  }

  private retire(entry: PooledDescriptor): void {
    entry.retired = true;
    if (entry.uses === 0) this.closeEntry(entry);
  }

  private closeEntry(entry: PooledDescriptor): void {
    if (!entry.isLast) {
      closeQuietly(this.fileSystem, entry.descriptor);
      this.opened--;
      return;
    }
    const closing = this.closeLast(entry);
    this.closing.add(closing);
    void closing.then(() => this.closing.delete(closing));
  }

  private async closeLast({ descriptor }: PooledDescriptor): Promise<void> {
    try {
      await this.fileSystem.closeAsync(descriptor);
    } catch {
      // As for `closeQuietly`.
    }
    this.opened--;
  }
}
