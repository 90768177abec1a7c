import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { RunTotals } from './ledger.ts';

/** What a store process had been told by its store when it was killed. */
export interface Acknowledged {
  /** All that have returned; the next one may or may not have happened. */
  readonly operations: number;
  /** How many of those a sync has covered. */
  readonly syncedOperations: number;
  /** What cannot be found again by repeating the operations. */
  readonly counts: Pick<
    RunTotals,
    'syncs' | 'compacts' | 'reopens' | 'keysChecked' | 'rotates' | 'byTime'
  >;
  /** When the last sync ended, by the system's clock; 0 when there was none. */
  readonly syncedAtMs: number;
}

export const NOTHING_ACKNOWLEDGED: Acknowledged = {
  operations: 0,
  syncedOperations: 0,
  counts: { syncs: 0, compacts: 0, reopens: 0, keysChecked: 0, rotates: 0, byTime: 0 },
  syncedAtMs: 0,
};

const FIELDS = 9;

/**
 * A few numbers that outlive the process that writes them: one small write a change, which a kill
 * either lets happen or not. The store has nothing to do with this file.
 */
export class AcknowledgementFile {
  private readonly numbers = new Float64Array(FIELDS);
  private readonly bytes = Buffer.from(this.numbers.buffer);
  private readonly descriptor: number;

  /** Created when it is not there. */
  constructor(path: string) {
    this.descriptor = openSync(path, 'a+');
    closeSync(this.descriptor);
    this.descriptor = openSync(path, 'r+');
  }

  write({ operations, syncedOperations, counts, syncedAtMs }: Acknowledged): void {
    const { syncs, compacts, reopens, keysChecked, rotates, byTime } = counts;
    this.numbers.set([
      operations,
      syncedOperations,
      syncs,
      compacts,
      reopens,
      keysChecked,
      rotates,
      byTime,
      syncedAtMs,
    ]);
    writeSync(this.descriptor, this.bytes, 0, this.bytes.length, 0);
  }
}

/** Undefined when nothing was written yet. */
export function readAcknowledged(path: string): Acknowledged | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  if (bytes.length < FIELDS * 8) return undefined;
  const [
    operations = 0,
    syncedOperations = 0,
    syncs = 0,
    compacts = 0,
    reopens = 0,
    keysChecked = 0,
    rotates = 0,
    byTime = 0,
    syncedAtMs = 0,
  ] = Array.from({ length: FIELDS }, (_, index) => bytes.readDoubleLE(index * 8));
  return {
    operations,
    syncedOperations,
    counts: { syncs, compacts, reopens, keysChecked, rotates, byTime },
    syncedAtMs,
  };
}
