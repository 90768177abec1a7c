import type { Damage, StoreErrorCode } from '../../src/engine/index.ts';

/** The files of one store's directory, by name. */
export type FixtureFiles = ReadonlyMap<string, Uint8Array>;

/** A store on disk that never changes, and what opening a copy of it must give. */
export interface Fixture {
  /** Its folder in the corpus: `datawal/valid_log`. */
  readonly name: string;
  /** What was done to make it, for people. */
  readonly made: string;
  readonly expected: Expected;
  readonly build: () => Promise<FixtureFiles>;
}

/**
 * What `openStore` with default options makes of it. Written by hand, never taken from the engine.
 */
export type Expected = Opens | Refuses;

export interface Opens {
  readonly outcome: 'clean' | 'recovered';
  readonly recordsKept: number;
  readonly discarded: readonly DiscardedRange[];
  /** Keys and values as UTF-8. */
  readonly livePairs: Readonly<Record<string, string>>;
}

export interface DiscardedRange {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  readonly damage: Damage;
}

export interface Refuses {
  readonly outcome: StoreErrorCode;
  readonly segmentId: number;
  readonly offset: number;
  readonly damage: Damage;
}

export function recovers(
  recordsKept: number,
  livePairs: Readonly<Record<string, string>>,
  ...discarded: DiscardedRange[]
): Opens {
  return { outcome: 'recovered', recordsKept, discarded, livePairs };
}

export function discarded(
  damage: Damage,
  segmentId: number,
  offset: number,
  byteLength: number,
): DiscardedRange {
  return { segmentId, offset, byteLength, damage };
}

export function refusesAsCorrupt(damage: Damage, segmentId: number, offset: number): Refuses {
  return { outcome: 'STORE_CORRUPT', segmentId, offset, damage };
}

export function refusesAsAmbiguous(damage: Damage, segmentId: number, offset: number): Refuses {
  return { outcome: 'AMBIGUOUS_TAIL', segmentId, offset, damage };
}
