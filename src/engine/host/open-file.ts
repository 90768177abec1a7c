import { type FileStat, type FileSystem, readFully, writeFully } from './file-system.ts';
import type { Turns } from './turns.ts';

/**
 * What is read at a time: little, because memory that is touched for the first time costs more than
 * a call.
 */
const CHUNK_BYTES = 256 * 1024;

/** A file that is open, for work that takes longer than making this object. */
export class OpenFile {
  readonly fileSystem: FileSystem;
  readonly descriptor: number;

  constructor(fileSystem: FileSystem, descriptor: number) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
  }

  stat(): FileStat {
    return this.fileSystem.statDescriptor(this.descriptor);
  }

  /**
   * Reads so many bytes from `position` on, or as many as there are before the file ends; returns
   * how many.
   */
  read(target: Uint8Array, position: number, length = target.length): number {
    return readFully(this.fileSystem, this.descriptor, target, 0, length, position);
  }

  /** Writes all of it at `position`. */
  write(bytes: Uint8Array, position: number): void {
    writeFully(this.fileSystem, this.descriptor, bytes, 0, bytes.length, position);
  }

  sync(): void {
    this.fileSystem.dataSync(this.descriptor);
  }

  syncAsync(): Promise<void> {
    return this.fileSystem.dataSyncAsync(this.descriptor);
  }

  /**
   * Reads what lies from `from` to `to` in chunks, and takes turns. `visit` is given each chunk,
   * which it must not keep, with its position; it returns false to end early. True when all was
   * read: neither did the file end before, nor did `visit` want less.
   */
  async eachChunk(
    from: number,
    to: number,
    turns: Turns,
    visit: (chunk: Buffer, position: number) => unknown,
  ): Promise<boolean> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(to - from, 0)));
    for (let at = from; at < to; ) {
      const count = this.read(buffer, at, Math.min(buffer.length, to - at));
      if (count === 0 || visit(buffer.subarray(0, count), at) === false) return false;
      at += count;
      if (turns.isDue(count)) await turns.next();
    }
    return true;
  }
}
