import type { FileStat } from '../../src/engine/index.ts';

/**
 * The bytes and the identity of one file of a `MemoryFileSystem`; names and descriptors are kept
 * there.
 */
export class MemoryFile {
  readonly kind: 'file' | 'directory';
  readonly inode: number;
  modifiedMs: number;
  /** The descriptor that holds the kernel lock. */
  lockedBy: number | undefined;
  /** May be longer than the file; zeros behind its end. */
  private bytes: Buffer = Buffer.alloc(0);
  private sizeBytes = 0;
  /** The bytes belong to somebody else as well: they are copied before the first change. */
  private isShared = false;

  constructor(kind: 'file' | 'directory', inode: number, modifiedMs: number) {
    this.kind = kind;
    this.inode = inode;
    this.modifiedMs = modifiedMs;
  }

  /** The same file on a machine where nobody holds it. */
  unlockedCopy(): MemoryFile {
    const copy = new MemoryFile(this.kind, this.inode, this.modifiedMs);
    copy.share(this.bytes, this.sizeBytes);
    this.isShared = true;
    return copy;
  }

  contents(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.sizeBytes));
  }

  replace(bytes: Uint8Array): void {
    this.bytes = Buffer.from(bytes);
    this.sizeBytes = bytes.length;
    this.isShared = false;
  }

  /** Does what `replace` does, without a copy: the bytes must not change any more. */
  share(bytes: Buffer, sizeBytes = bytes.length): void {
    this.bytes = bytes;
    this.sizeBytes = sizeBytes;
    this.isShared = true;
  }

  stat(): FileStat {
    return {
      kind: this.kind,
      sizeBytes: this.sizeBytes,
      device: 1,
      inode: this.inode,
      modifiedMs: this.modifiedMs,
    };
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.sizeBytes - position));
    target.set(this.bytes.subarray(position, position + count), offset);
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.bytes.length)
      this.copyInto(Buffer.alloc(Math.max(end, this.bytes.length * 2, 256)));
    else if (this.isShared) this.copyInto(Buffer.alloc(this.bytes.length));
    this.bytes.set(bytes, position);
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  truncate(sizeBytes: number): void {
    this.sizeBytes = Math.min(sizeBytes, this.sizeBytes);
    this.copyInto(Buffer.alloc(sizeBytes));
    this.sizeBytes = sizeBytes;
  }

  /** Goes on in zeroed memory of its own. */
  private copyInto(memory: Buffer): void {
    this.bytes.copy(memory, 0, 0, this.sizeBytes);
    this.bytes = memory;
    this.isShared = false;
  }
}
