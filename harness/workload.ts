import { type KeyDistribution, keyChooser } from './key-distribution.ts';
import type { Oracle } from './oracle.ts';
import { mix32, Prng } from './prng.ts';

export type Operation =
  | { readonly kind: 'put'; readonly keyNumber: number; readonly version: number }
  | { readonly kind: 'delete'; readonly keyNumber: number }
  | { readonly kind: 'read'; readonly keyNumber: number };

/**
 * A stream of operations. The same seed gives the same stream, provided that each was applied to
 * the oracle.
 */
export interface Workload {
  /** Undefined when there is no more to do. */
  next(): Operation | undefined;
}

/** How often each kind comes, as weights. */
export interface OperationMix {
  readonly put: number;
  readonly delete: number;
  readonly get: number;
}

export interface WorkloadShape {
  readonly mix: OperationMix;
  readonly distribution: KeyDistribution;
}

const READS_IN_1000 = 333;
/** A third reads; of the writes 95 % puts and 5 % deletes; keys evenly chosen. */
const DEFAULT_SHAPE: WorkloadShape = {
  mix: { put: 667 * 0.95, delete: 667 * 0.05, get: READS_IN_1000 },
  distribution: { kind: 'uniform' },
};

/** Endless; keys that are absent are read and deleted too. */
export class SyntheticWorkload implements Workload {
  private readonly prng: Prng;
  private readonly oracle: Oracle;
  private readonly nextKey: () => number;
  private readonly getsBelow: number;
  private readonly deletesBelow: number;

  constructor(seed: number, oracle: Oracle, { mix, distribution } = DEFAULT_SHAPE) {
    // Not the stream that the values are made from.
    this.prng = Prng.seeded(mix32(seed ^ 0x776f726b));
    this.oracle = oracle;
    this.nextKey = keyChooser(distribution, oracle.keyCount, this.prng);
    const total = mix.put + mix.delete + mix.get;
    this.getsBelow = (mix.get / total) * 2 ** 32;
    this.deletesBelow = this.getsBelow + (mix.delete / total) * 2 ** 32;
  }

  next(): Operation {
    const keyNumber = this.nextKey();
    const kind = this.prng.nextUint32();
    if (kind < this.getsBelow) return { kind: 'read', keyNumber };
    if (kind < this.deletesBelow) return { kind: 'delete', keyNumber };
    return { kind: 'put', keyNumber, version: this.oracle.lastVersionOf(keyNumber) + 1 };
  }
}

/** Where each row of an input stands: its key, and how many rows there are. */
export interface Rows {
  readonly rowCount: number;
  keyNumberOfRow(row: number): number;
}

/**
 * Puts every row in order, as often as `passes` says; a third of the operations read a random row's
 * key.
 */
export class RowWorkload implements Workload {
  private readonly prng: Prng;
  private readonly rows: Rows;
  private readonly passes: number;
  private pass = 0;
  private row = 0;

  constructor(seed: number, rows: Rows, passes = Number.POSITIVE_INFINITY) {
    this.prng = Prng.seeded(mix32(seed ^ 0x726f7773));
    this.rows = rows;
    this.passes = passes;
  }

  next(): Operation | undefined {
    if (this.pass >= this.passes) return undefined;
    if (this.prng.below(1000) < READS_IN_1000) {
      return {
        kind: 'read',
        keyNumber: this.rows.keyNumberOfRow(this.prng.below(this.rows.rowCount)),
      };
    }
    const row = this.row++;
    if (this.row === this.rows.rowCount) {
      this.row = 0;
      this.pass++;
    }
    // The bytes of a row are the same in every pass, so its number is its version.
    return { kind: 'put', keyNumber: this.rows.keyNumberOfRow(row), version: row + 1 };
  }
}
