import { callBack } from '../host/errors.ts';
import { pause } from '../host/pause.ts';
import { Turns } from '../host/turns.ts';

export interface VerifyOptions {
  /**
   * Reads no faster than that, on average; at least 1. Default: as fast as it can, in slices of
   * about a millisecond.
   */
  readonly bytesPerSecond?: number;
  /** Called after every slice. */
  readonly onProgress?: (scannedBytes: number, totalBytes: number) => void;
  /** Ends the scrub; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Read and checked between two turns of the event loop. */
export const BYTES_PER_TURN = 256 * 1024;

/**
 * A scrub's way of leaving room for others: between slices it lets them run, waits where it is too
 * fast, and may end.
 */
export class Pace {
  scannedBytes = 0;
  /** Turns for a search in what was read. The search ends when the scrub does. */
  readonly turns = new Turns(BYTES_PER_TURN, () => this.check());
  private readonly options: VerifyOptions;
  private readonly totalBytes: number;
  private readonly checkOpen: () => void;
  private readonly closed: AbortSignal;
  private readonly startedMs = performance.now();

  /** `closed` is aborted when `checkOpen` begins to throw. */
  constructor(
    options: VerifyOptions,
    totalBytes: number,
    checkOpen: () => void,
    closed: AbortSignal,
  ) {
    this.options = options;
    this.totalBytes = totalBytes;
    this.checkOpen = checkOpen;
    this.closed = closed;
  }

  /**
   * Ends a slice of so many bytes. Throws when the store was closed, or the caller wants no more.
   */
  async turn(sizeBytes: number): Promise<void> {
    const { bytesPerSecond, onProgress, signal } = this.options;
    this.scannedBytes += sizeBytes;
    callBack(onProgress, this.scannedBytes, Math.max(this.totalBytes, this.scannedBytes));
    await this.turns.next();
    if (bytesPerSecond === undefined) return;
    for (;;) {
      const dueMs = (this.scannedBytes / bytesPerSecond) * 1000;
      const aheadMs = dueMs - (performance.now() - this.startedMs);
      if (aheadMs < 1) return;
      await pause(aheadMs, signal, this.closed);
      this.check();
    }
  }

  private check(): void {
    this.options.signal?.throwIfAborted();
    this.checkOpen();
  }
}
