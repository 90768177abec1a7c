import type { StorePromise } from '../promises/store-promises.ts';

/** A promise that a store did not keep. */
export interface StoreFinding {
  readonly promise: StorePromise;
  readonly message: string;
  /** What had been done to the store, in sentences. */
  readonly story: readonly string[];
  /** The directory as the check left it; undefined where nothing is kept. */
  readonly directory: string | undefined;
  /** Finds it again. */
  readonly reproduce: string;
}
