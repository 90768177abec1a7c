import type { Prng } from '../../prng.ts';

/** What a history can do next, and how often in a hundred or so. */
const WEIGHTS = {
  write: 26,
  batch: 6,
  rotate: 10,
  sync: 3,
  merge: 8,
  backup: 9,
  interruptedBackup: 6,
  backupBesideWrites: 3,
  restore: 4,
  openBackup: 1,
  verify: 3,
  verifyPaced: 1,
  verifyBesideWrites: 1,
  export: 2,
  import: 2,
  copy: 2,
  openReader: 4,
  refresh: 5,
  read: 5,
  verifyReader: 4,
  closeReader: 2,
  follow: 5,
  pull: 14,
  endFollower: 2,
  kill: 3,
  killIn: 4,
  reopen: 4,
  judge: 2,
  judgeBackup: 2,
  damage: 5,
  damageBackup: 2,
  damageInUse: 3,
} as const;

export type UpkeepStepKind = keyof typeof WEIGHTS;

/** A step is its kind and a seed for its choices: it means the same whatever else is left out. */
export interface UpkeepStep {
  readonly kind: UpkeepStepKind;
  readonly seed: number;
}

const KINDS = Object.entries(WEIGHTS) as [UpkeepStepKind, number][];
const TOTAL = KINDS.reduce((sum, [, weight]) => sum + weight, 0);
const LEAST_STEPS = 15;
const STEPS_MORE = 40;

export function planUpkeep(prng: Prng): UpkeepStep[] {
  const count = LEAST_STEPS + prng.below(STEPS_MORE);
  return Array.from({ length: count }, () => ({ kind: pickKind(prng), seed: prng.nextUint32() }));
}

function pickKind(prng: Prng): UpkeepStepKind {
  let left = prng.below(TOTAL);
  for (const [kind, weight] of KINDS) {
    left -= weight;
    if (left < 0) return kind;
  }
  throw new Error('the weights add up to less than their sum');
}
