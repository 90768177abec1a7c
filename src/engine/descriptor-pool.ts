import { closeQuietly, type FileSystem } from './file-system.ts';
import { segmentPath } from './segment-name.ts';

export interface PooledDescriptor {
  readonly segmentId: number;
  readonly descriptor: number;
  /** Reads in flight. A descriptor that is taken out while in use is closed by its last user. */
  uses: number;
  retired: boolean;
}

/** Looks at a descriptor that was just opened; throws when it is not the file that is wanted. */
export type OpenCheck = (segmentId: number, descriptor: number) => void;

/** Open read descriptors of segments, at most `capacity` of them, least recently used out first. */
export class DescriptorPool {
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly capacity: number;
  /** Reads that found their segment open, that had to open it, and descriptors closed for others. */
  hits = 0;
  misses = 0;
  evictions = 0;
  private readonly verify: OpenCheck | undefined;
  /** In order of use: the first is the next to go. */
  private readonly pooled = new Map<number, PooledDescriptor>();
  private latest: PooledDescriptor | undefined;
  private inUse = 0;
  private opened = 0;
  private onIdle: (() => void) | undefined;
  private closed = false;

  constructor(fileSystem: FileSystem, directory: string, capacity: number, verify: OpenCheck | undefined) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.capacity = capacity;
    this.verify = verify;
  }

  /** Open descriptors, those in use that are no longer in the pool included. */
  get openCount(): number {
    return this.opened;
  }

  /** An open descriptor of the segment. Give it back with `release`, also after a failed read. */
  acquire(segmentId: number): PooledDescriptor {
    const entry = this.find(segmentId);
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

  /** Closes everything once the reads in flight have ended. */
  async close(): Promise<void> {
    this.closed = true;
    for (const entry of this.pooled.values()) this.retire(entry);
    this.pooled.clear();
    this.latest = undefined;
    if (this.inUse > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
    }
  }

  private find(segmentId: number): PooledDescriptor {
    // Reads come in runs on one segment: no need to move it in the order each time.
    if (this.latest?.segmentId === segmentId) {
      this.hits++;
      return this.latest;
    }
    const pooled = this.pooled.get(segmentId);
    if (pooled !== undefined) {
      this.hits++;
      this.pooled.delete(segmentId);
      this.pooled.set(segmentId, pooled);
      this.latest = pooled;
      return pooled;
    }
    this.misses++;
    const descriptor = this.fileSystem.open(segmentPath(this.directory, segmentId), 'read');
    try {
      this.verify?.(segmentId, descriptor);
    } catch (error) {
      closeQuietly(this.fileSystem, descriptor);
      throw error;
    }
    const entry: PooledDescriptor = {
      segmentId,
      descriptor,
      uses: 0,
      retired: this.capacity === 0 || this.closed,
    };
    this.opened++;
    if (entry.retired) return entry;
    this.pooled.set(segmentId, entry);
    this.latest = entry;
    if (this.pooled.size > this.capacity) this.evictOldest();
    return entry;
  }

  private evictOldest(): void {
    const oldest = this.pooled.values().next().value as PooledDescriptor;
    this.pooled.delete(oldest.segmentId);
    this.evictions++;
    this.retire(oldest);
  }

  private retire(entry: PooledDescriptor): void {
    entry.retired = true;
    if (entry.uses === 0) this.closeEntry(entry);
  }

  private closeEntry(entry: PooledDescriptor): void {
    closeQuietly(this.fileSystem, entry.descriptor);
    this.opened--;
  }
}
