import type { FixtureFiles } from '../corpus/fixture.ts';
import type { Prng } from '../prng.ts';

/** One input, by name of its parts: the files of a directory, or a single part. */
export type FuzzInput = FixtureFiles;

/** One entrance through which bytes of a stranger come in. */
export interface FuzzTarget {
  readonly name: string;
  /** How often it is chosen, against the others. */
  readonly weight: number;
  readonly make: (prng: Prng, seeds: readonly FixtureFiles[]) => FuzzInput;
  /** Throws `Mishandled`, or whatever the code under test wrongly throws. */
  readonly check: (input: FuzzInput) => void | Promise<void>;
}

/** The code under test did with an input what it must never do. */
export class Mishandled extends Error {
  override readonly name = 'Mishandled';
}

/** The part of an input that has only one. */
export function onlyPart(input: FuzzInput): Buffer {
  const [bytes] = input.values();
  return Buffer.from(bytes ?? new Uint8Array());
}
