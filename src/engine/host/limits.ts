/**
 * Limits that nobody reaches in a test, made small for one: `{ [LIMITS]: { shardWords: 4096 } }`
 * among the options of an opening. Not for users, who cannot name the symbol.
 */
export const LIMITS = Symbol('tidemark.limits');

export interface Limits {
  /** Words of 32 bits that the keys of one shard of the keydir may fill. At most 2^24 - 1. */
  readonly shardWords?: number;
}

export function limitsOf(options: object): Limits {
  return (options as { readonly [LIMITS]?: Limits })[LIMITS] ?? {};
}
