import { errnoOf } from './errors.ts';
import type { FileSystem } from './file-system.ts';

/** Disks fail in sectors; the page cache asks for no less than this. */
const BLOCK_BYTES = 4096;
/** The most bad blocks of one file that are remembered. Those behind are read around as well. */
const MOST_REMEMBERED = 100_000;

/**
 * The blocks of one file that the disk does not give. Whoever reads through `reads` gets zeros for
 * them.
 */
export class BadBlocks {
  readonly reads: FileSystem;
  private readonly fileSystem: FileSystem;
  private readonly indexes = new Set<number>();

  constructor(fileSystem: FileSystem) {
    this.fileSystem = fileSystem;
    const read: FileSystem['read'] = (...call) => this.read(...call);
    this.reads = Object.assign(Object.create(fileSystem) as FileSystem, { read });
  }

  /** Is one of them in this range? */
  lieIn(offset: number, byteLength: number): boolean {
    if (this.indexes.size === 0) return false;
    for (let at = Math.floor(offset / BLOCK_BYTES); at * BLOCK_BYTES < offset + byteLength; at++)
      if (this.indexes.has(at)) return true;
    return false;
  }

  private read(...call: Parameters<FileSystem['read']>): number {
    const [descriptor, buffer, offset, length, position] = call;
    const whole = this.readOrNothing(descriptor, buffer, offset, length, position);
    if (whole !== undefined) return whole;
    let done = 0;
    while (done < length) {
      const at = position + done;
      const pieceBytes = Math.min(BLOCK_BYTES - (at % BLOCK_BYTES), length - done);
      const count = this.readOrNothing(descriptor, buffer, offset + done, pieceBytes, at);
      if (count === 0) break;
      if (count === undefined) {
        buffer.fill(0, offset + done, offset + done + pieceBytes);
        if (this.indexes.size < MOST_REMEMBERED) this.indexes.add(Math.floor(at / BLOCK_BYTES));
      }
      done += count ?? pieceBytes;
    }
    return done;
  }

  private readOrNothing(...call: Parameters<FileSystem['read']>): number | undefined {
    try {
      return this.fileSystem.read(...call);
    } catch (error) {
      if (errnoOf(error) !== 'EIO') throw error;
      return undefined;
    }
  }
}
