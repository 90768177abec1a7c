import type { StorePromise } from './store-promises.ts';

/**
 * What the crash harness holds the store to. Those with a number are told, with their tests, in
 * ARCHITECTURE.md.
 */
export const INVARIANTS = {
  I1: 'the recovered state is the result of a prefix of the operations',
  I2: 'what was acknowledged is in that prefix',
  I3: 'no pair is invented, and every read gives what was put last',
  I5: 'damage to what is durable is an error, never wrong bytes',
  I6: 'recovery cut short and begun again comes to the same store',
  I7: 'txids are never reused',
  I8: 'the durable mark never lags behind what a seal, an opening or a close has promised',
  I9: 'after a failure nothing is written or acknowledged until the store is reopened',
  I10: 'no descriptor is left open after a close or a failed opening',
  I11: 'at most one writer; a dead one never blocks, a stopped one is never robbed',
  I12: 'an online merge changes nothing that anybody can read',
  I13: 'no byte goes into another directory, and nothing is acknowledged that went nowhere',
  I14: 'whatever waits ends when it is told to, and long work is done in slices',
  clean: 'a store that was closed in order opens clean',
  reader: 'a reader sees what recovery keeps, and changes nothing',
  outputs: 'what compactTo and exportJsonl make is there whole, or not at all',
  quarantine: 'discarded bytes are kept durably before they are cut off',
  disk: 'an image on the real file system recovers as it does in memory',
  context: 'what callers share does not run in the async context of one of them',
  backup:
    'a backup is a state of the past and holds it alone; an earlier one is changed by nothing else',
  salvage: 'what salvage keeps is right, and what it lost is named',
  follower: 'a follower delivers each record once, in order, or says SNAPSHOT_GONE',
  agree: 'check, report, verify, salvage and every opening say the same of a directory',
  alive: 'recovery ends, and the process survives it',
} as const;
/**
 * What can be broken: one of these, what any store is held to, or one of two without a case of
 * their own in a report. `typed`: a failure is no typed error. `harness`: the process under test
 * and the harness disagree about what was done.
 */
export type Invariant = keyof typeof INVARIANTS | StorePromise | 'typed' | 'harness';

/** An invariant does not hold. */
export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string, cause?: unknown) {
    super(message, { cause });
    this.invariant = invariant;
  }
}

/**
 * The invariant that an error is about. An error that the harness does not expect means that the
 * store fails.
 */
export function invariantOf(error: unknown): string {
  return error instanceof InvariantBroken ? error.invariant : 'alive';
}

/** The same for one that an opening met: the store does not recover, which breaks I1. */
export function brokenBy(error: unknown): InvariantBroken {
  if (error instanceof InvariantBroken) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new InvariantBroken('I1', `the store fails: ${message}`, error);
}
