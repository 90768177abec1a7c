import type { RunTotals } from '../run/ledger.ts';

/** A store process that neither writes nor checks anything for so long is hung. */
const STALLED_MS = 10 * 60 * 1000;

/** Tells a store process that is slow from one that is hung. */
export class StallWatch {
  private mark = -1;
  private sinceMs = 0;

  /** Asked at every sample. */
  isStalled(totals: RunTotals | undefined): boolean {
    const { operations = 0, keysChecked = 0, compacts = 0, reopens = 0 } = totals ?? {};
    const mark = operations + keysChecked + compacts + reopens;
    if (mark === this.mark) return performance.now() - this.sinceMs > STALLED_MS;
    this.mark = mark;
    this.sinceMs = performance.now();
    return false;
  }
}
