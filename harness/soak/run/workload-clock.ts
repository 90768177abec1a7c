import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';

/** The time spent in the workload itself, without reopens, compactions and comparisons. */
export class WorkloadClock {
  private beforeMs = 0;
  private sinceMs: number | undefined;

  get elapsedMs(): number {
    return this.beforeMs + (this.sinceMs === undefined ? 0 : performance.now() - this.sinceMs);
  }

  begin(): void {
    this.sinceMs = performance.now();
  }

  end(): void {
    this.beforeMs = this.elapsedMs;
    this.sinceMs = undefined;
  }

  /**
   * Waits a turn of the event loop, and until the operations done from now on are due, when there
   * is a rate. Time that a reopen took is not caught up with.
   */
  pacer(operationsPerSecond: number | undefined, operations: () => number): () => Promise<unknown> {
    if (operationsPerSecond === undefined) return () => nextTurn();
    const doneBefore = operations();
    const startMs = this.elapsedMs;
    return () => {
      const dueMs = startMs + ((operations() - doneBefore) / operationsPerSecond) * 1000;
      const earlyMs = dueMs - this.elapsedMs;
      return earlyMs > 1 ? delay(earlyMs) : nextTurn();
    };
  }
}
