import { mix32, Prng } from '../prng.ts';
import { HOSTILE_KEY_COUNT, type ValueLimits } from './hostile-values.ts';

/** The hostile keys, and plain ones behind them. */
export const KEY_COUNT = HOSTILE_KEY_COUNT + 12;

/** Version 0 is a delete; every other version is put once in all of a store's life. */
export interface Write {
  readonly key: number;
  readonly version: number;
}

/** Any store can take these; what it takes of them is its `WorkShape`. */
export type WorkStep =
  /** Writes begun one after the other, none of them awaited before all have begun. Keys differ. */
  | { readonly kind: 'write'; readonly writes: readonly Write[] }
  /** A listing is begun, the writes are made in the middle of it, and it is read to its end. */
  | { readonly kind: 'iterate'; readonly writes: readonly Write[] }
  /** A get, compared with what was put. */
  | { readonly kind: 'get'; readonly key: number }
  | { readonly kind: 'sync' | 'compact' | 'list' }
  /** Closed as it is, and opened again; every key is read. `twice`: with nothing done between. */
  | { readonly kind: 'reopen'; readonly twice: boolean };

/** What a store lets a workload do. */
export interface WorkShape extends ValueLimits {
  /** Keys by their numbers. */
  readonly keys: readonly number[];
  /** Operations may overlap. */
  readonly concurrent: boolean;
  readonly syncs: boolean;
  readonly compacts: boolean;
}

/** How many of a hundred steps are of each kind. What a store does not have becomes a write. */
const SHARES: readonly (readonly [WorkStep['kind'], number])[] = [
  ['write', 72],
  ['get', 9],
  ['sync', 9],
  ['iterate', 3],
  ['list', 2],
  ['compact', 2],
  ['reopen', 3],
];
const DELETE_ONE_IN = 6;
const MOST_OVERLAPPING = 6;
/** Versions of one round; a round that goes on for longer would reuse those of the next. */
const VERSIONS_A_ROUND = 100_000;

/**
 * The steps of one round without end. The process that works and whoever judges it afterwards take
 * the same ones.
 */
export function* workSteps(
  seed: number,
  round: number,
  shape: WorkShape,
): Generator<WorkStep, never> {
  const prng = Prng.seeded(mix32((seed ^ mix32((round + 0x73746570) >>> 0)) >>> 0));
  let version = round * VERSIONS_A_ROUND;
  const write = (key: number): Write => ({
    key,
    version: prng.below(DELETE_ONE_IN) === 0 ? 0 : ++version,
  });
  const anyKey = () => shape.keys[prng.below(shape.keys.length)] as number;
  const writes = (most: number): Write[] => {
    const count = shape.concurrent ? 1 + prng.below(most) : 1;
    const keys = new Set(Array.from({ length: count }, anyKey));
    return [...keys].map(write);
  };
  for (;;) {
    switch (pickKind(prng, shape)) {
      case 'write':
        // Half of them alone: what one operation hides of another shows only where it is alone.
        yield { kind: 'write', writes: writes(prng.below(2) === 0 ? 1 : MOST_OVERLAPPING) };
        break;
      case 'iterate':
        yield { kind: 'iterate', writes: writes(MOST_OVERLAPPING) };
        break;
      case 'get':
        yield { kind: 'get', key: anyKey() };
        break;
      case 'sync':
        yield { kind: 'sync' };
        break;
      case 'compact':
        yield { kind: 'compact' };
        break;
      case 'list':
        yield { kind: 'list' };
        break;
      case 'reopen':
        yield { kind: 'reopen', twice: prng.below(4) === 0 };
    }
  }
}

function pickKind(prng: Prng, shape: WorkShape): WorkStep['kind'] {
  let choice = prng.below(100);
  for (const [kind, share] of SHARES) {
    if (choice < share) {
      const isMissing =
        (kind === 'sync' && !shape.syncs) || (kind === 'compact' && !shape.compacts);
      return isMissing ? 'write' : kind;
    }
    choice -= share;
  }
  throw new RangeError('the shares are less than a hundred');
}

/** The writes of a step; none for a step that only reads. */
export function writesOf(step: WorkStep): readonly Write[] {
  return 'writes' in step ? step.writes : [];
}
