import type { KeyedValues } from '../../keyed-values.ts';
import type { Oracle } from '../../oracle.ts';
import type { Operation } from '../../workload.ts';

export interface RunTotals {
  /** Puts, deletes and reads of the workload. */
  operations: number;
  puts: number;
  deletes: number;
  reads: number;
  syncs: number;
  /** Segments begun after the first, as the adapter counts them. */
  rotates: number;
  compacts: number;
  reopens: number;
  /** Syncs and reopens that came because time had passed, and not because of what was written. */
  byTime: number;
  /** Keys and values of the puts. */
  bytesWritten: number;
  /**
   * Comparisons of one key outside the workload: after reopens, compactions and kills, and at the
   * end.
   */
  keysChecked: number;
}

/** What was done to the store, and what it must hold for that. */
export class Ledger {
  readonly oracle: Oracle;
  readonly totals: RunTotals = {
    operations: 0,
    puts: 0,
    deletes: 0,
    reads: 0,
    syncs: 0,
    rotates: 0,
    compacts: 0,
    reopens: 0,
    byTime: 0,
    bytesWritten: 0,
    keysChecked: 0,
  };
  readonly values: KeyedValues;
  /** The bytes of key and value, per live key. */
  private readonly sizes: Uint32Array;
  private liveByteCount = 0;

  constructor(values: KeyedValues, oracle: Oracle) {
    this.values = values;
    this.oracle = oracle;
    this.sizes = new Uint32Array(oracle.keyCount);
  }

  /** Keys and values of the live set. */
  get liveBytes(): number {
    return this.liveByteCount;
  }

  /** The store has answered. */
  enter(operation: Operation): void {
    const { totals, oracle } = this;
    totals.operations++;
    switch (operation.kind) {
      case 'put': {
        const sizeBytes = this.sizeBytesOf(operation.keyNumber, operation.version);
        oracle.put(operation.keyNumber, operation.version);
        this.setSize(operation.keyNumber, sizeBytes);
        totals.puts++;
        totals.bytesWritten += sizeBytes;
        return;
      }
      case 'delete':
        oracle.delete(operation.keyNumber);
        this.setSize(operation.keyNumber, 0);
        totals.deletes++;
        return;
      case 'read':
        totals.reads++;
    }
  }

  /**
   * What was found after a kill, of a key whose last operations may or may not have happened. 0 is
   * absent.
   */
  adopt(keyNumber: number, liveVersion: number): void {
    if (liveVersion === 0) this.oracle.delete(keyNumber);
    else this.oracle.put(keyNumber, liveVersion);
    this.setSize(keyNumber, liveVersion === 0 ? 0 : this.sizeBytesOf(keyNumber, liveVersion));
  }

  private sizeBytesOf(keyNumber: number, version: number): number {
    return this.values.keyOf(keyNumber).length + this.values.sizeBytesOf(keyNumber, version);
  }

  private setSize(keyNumber: number, sizeBytes: number): void {
    this.liveByteCount += sizeBytes - (this.sizes[keyNumber] as number);
    this.sizes[keyNumber] = sizeBytes;
  }
}
