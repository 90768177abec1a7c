import type { FileSystem } from '../../src/engine/index.ts';
import { intercept } from './intercepted.ts';

/** What it counts to open a file, which is far from nothing: a slice may be of many small ones. */
const OPEN_BYTES = 32 * 1024;

/**
 * Measures how much is done in one go, between two turns of the event loop: bytes read and written,
 * and files opened. No clock, so that a busy machine changes nothing.
 */
export class WorkPerTurn {
  mostBytes = 0;
  turns = 0;
  private nowBytes = 0;

  /** The same file system, measured. */
  of<T extends FileSystem>(inner: T): T {
    return intercept(inner, (call) => {
      const result = call.proceed();
      if (call.method === 'open') this.add(OPEN_BYTES);
      else if (/^(?:read|write)/.test(call.method) && typeof result === 'number') this.add(result);
      return result;
    });
  }

  /** Counts the turns that others have while this runs. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    let isRunning = true;
    const tick = () => {
      this.nowBytes = 0;
      this.turns++;
      if (isRunning) setImmediate(tick);
    };
    setImmediate(tick);
    try {
      return await work();
    } finally {
      isRunning = false;
    }
  }

  private add(sizeBytes: number): void {
    this.nowBytes += sizeBytes;
    this.mostBytes = Math.max(this.mostBytes, this.nowBytes);
  }
}
