import type { Probe } from '../src/engine/index.ts';
import type { DeclaredContract } from './contract.ts';

export type MaybePromise<T> = T | PromiseLike<T>;

/**
 * Any store that a harness can be pointed at. Keys and values are bytes, and belong to the store
 * once they are passed in; values that come out must not change later. A method may answer at once
 * or with a promise; what it does has happened when the answer is there. Whatever it throws ends
 * the run and counts against the store.
 */
export interface StoreUnderTest {
  get(key: Uint8Array): MaybePromise<Uint8Array | undefined>;
  /**
   * A `RangeError` says that key or value is beyond the store's limits, which is no fault of the
   * store.
   */
  put(key: Uint8Array, value: Uint8Array): MaybePromise<unknown>;
  delete(key: Uint8Array): MaybePromise<unknown>;
  /**
   * Everything before it survives what the contract says, a power cut unless it says less. A store
   * without it promises nothing more than its `put`.
   */
  sync?(): MaybePromise<unknown>;
  entries():
    | Iterable<readonly [Uint8Array, Uint8Array]>
    | AsyncIterable<readonly [Uint8Array, Uint8Array]>;
  /**
   * Gives back the space of what was overwritten and deleted. Without it the harness never
   * compacts.
   */
  compact?(): MaybePromise<unknown>;
  /** What only the inside knows; called once per sample, so it should be cheap. */
  stats?(): MaybePromise<StoreUnderTestStats>;
  /** Afterwards the directory can be opened again, in this process. */
  close(): MaybePromise<unknown>;
}

/** Numbers that a store may tell of itself; all else in it goes into the summary as it is. */
export interface StoreUnderTestStats {
  /** Files that make up the data. */
  readonly segments?: number;
  /** How often a new segment was begun since this opening. */
  readonly rotations?: number;
  /** Bytes of all data files. */
  readonly diskBytes?: number;
  /**
   * Descriptors that the store holds open when nothing is running. With it the soak demands that
   * the descriptors counted from outside are exactly these, beside those of the process itself.
   */
  readonly openDescriptors?: number;
  /** The most that it ever holds, work in flight included. */
  readonly descriptorLimit?: number;
  readonly [name: string]: unknown;
}

/**
 * The default export of an adapter module: opens the store in `directory`, which exists, creating
 * it when empty.
 */
export type OpenStoreUnderTest = (
  directory: string,
  /** Probes of tidemark; a store that cannot take them ignores them. */
  options?: { readonly probes?: readonly Probe[] },
) => Promise<StoreUnderTest>;

/** What an adapter module exports. */
export interface Adapter {
  readonly open: OpenStoreUnderTest;
  /** What it says that its store promises; checked field by field. */
  readonly contract: DeclaredContract;
  /**
   * Names of files, in the store's directory, that mean nothing after a start of the machine: locks
   * and shared memory. A power cut leaves a store without them.
   */
  readonly volatileFiles: readonly string[];
}
