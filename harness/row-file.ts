import { closeSync, openSync, readSync } from 'node:fs';

const WINDOW_BYTES = 256 * 1024;

/**
 * Reads rows of a file by place. A row right behind the one before is taken as the beginning of a
 * run, for which a whole window is read at once: most rows are read in order, and a call for each
 * would cost more than the store.
 */
export class RowFile {
  private readonly descriptor: number;
  private readonly window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  private windowStart = 0;
  private windowLength = 0;
  private previousEnd = -1;

  constructor(path: string) {
    this.descriptor = openSync(path, 'r');
  }

  /**
   * The bytes at `offset`; valid until the next call. Fewer than `lengthBytes` when the file ends
   * before.
   */
  read(offset: number, lengthBytes: number): Buffer {
    const inWindow = this.sliceOfWindow(offset, lengthBytes);
    if (inWindow !== undefined) return inWindow;
    // One byte between them is the newline.
    const followsPrevious = offset === this.previousEnd + 1;
    this.previousEnd = offset + lengthBytes;
    if (followsPrevious && lengthBytes <= WINDOW_BYTES) {
      this.windowStart = offset;
      this.windowLength = readSync(this.descriptor, this.window, 0, WINDOW_BYTES, offset);
      return this.window.subarray(0, Math.min(lengthBytes, this.windowLength));
    }
    const bytes = Buffer.allocUnsafe(lengthBytes);
    return bytes.subarray(0, readSync(this.descriptor, bytes, 0, lengthBytes, offset));
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private sliceOfWindow(offset: number, lengthBytes: number): Buffer | undefined {
    const start = offset - this.windowStart;
    if (start < 0 || start + lengthBytes > this.windowLength) return undefined;
    return this.window.subarray(start, start + lengthBytes);
  }
}
