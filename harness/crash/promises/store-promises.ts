/** What the crash harness holds any store to, as far as its contract promises it. */
export const STORE_PROMISES = {
  durable: 'what was acknowledged as surviving the crash is there',
  prefix: 'after a crash the state is that of a prefix of the operations',
  invented: 'no pair is there that was never put so',
  reads: 'every get and every listing gives what was put last',
  ordered: 'entries() comes in the order of the bytes of its keys',
  opens: 'the store opens again after a crash',
  alive: 'the process goes on, and no operation fails without a fault',
  usable: 'after a crash the store takes a put, a sync and a reopening, and keeps all three',
  descriptors: 'no descriptor is left open after a close, or after an operation that failed',
} as const;
export type StorePromise = keyof typeof STORE_PROMISES;
