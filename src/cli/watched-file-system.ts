import { NodeFileSystem, type OpenMode } from '../engine/index.ts';

/**
 * The real file system, which tells of the bytes that are read of some files: how far the work on
 * them has come.
 */
export class WatchedFileSystem extends NodeFileSystem {
  private readonly isWatched: (path: string) => boolean;
  private readonly onRead: (sizeBytes: number) => void;
  private readonly watched = new Set<number>();

  constructor(isWatched: (path: string) => boolean, onRead: (sizeBytes: number) => void) {
    super();
    this.isWatched = isWatched;
    this.onRead = onRead;
  }

  override open(path: string, mode: OpenMode): number {
    const descriptor = super.open(path, mode);
    if (mode === 'read' && this.isWatched(path)) this.watched.add(descriptor);
    return descriptor;
  }

  override close(descriptor: number): void {
    this.watched.delete(descriptor);
    super.close(descriptor);
  }

  override closeAsync(descriptor: number): Promise<void> {
    this.watched.delete(descriptor);
    return super.closeAsync(descriptor);
  }

  override read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const count = super.read(descriptor, buffer, offset, length, position);
    if (this.watched.has(descriptor)) this.onRead(count);
    return count;
  }
}
