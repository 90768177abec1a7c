import type { Prng } from '../../prng.ts';

/** How a process dies. */
export type KillPlan =
  /** So long after it begins to open. */
  | { readonly kind: 'time'; readonly delayMs: number }
  /** When it has written so many lines. */
  | { readonly kind: 'line'; readonly lines: number }
  /** The process dies in its n-th change of the file system, far behind its opening. */
  | { readonly kind: 'change'; readonly dieAtChange: number }
  /**
   * The process dies in its n-th change, which belongs to its opening: recovery itself is killed,
   * often several times in a row.
   */
  | { readonly kind: 'recovery'; readonly dieAtChange: number }
  /** The process dies after so many steps, while it holds the store and answers nobody. */
  | { readonly kind: 'blocked'; readonly steps: number };

export type KillKind = KillPlan['kind'];
export const KILL_KINDS: readonly KillKind[] = ['time', 'line', 'change', 'recovery', 'blocked'];
/** Those that need nothing of the store under test. */
export const OUTSIDE_KILL_KINDS: readonly KillKind[] = ['time', 'line'];

const DELAYS_MS = [4, 40, 160] as const;
const LINES = [1, 4, 60, 300] as const;
const CHANGES = 180;
/**
 * Those of an opening that repairs; a clean one takes fewer, and the kill comes in the first steps
 * then.
 */
const RECOVERY_CHANGES = 26;
const BLOCK_STEPS = 30;

/** How often each kind comes. */
const WEIGHTS: Readonly<Record<KillKind, number>> = {
  time: 4,
  line: 3,
  change: 7,
  recovery: 5,
  blocked: 1,
};

export function planKill(prng: Prng, kinds: readonly KillKind[]): KillPlan {
  const bag = kinds.flatMap((kind) => Array<KillKind>(WEIGHTS[kind]).fill(kind));
  const kind = bag[prng.below(bag.length)] as KillKind;
  switch (kind) {
    case 'time':
      return { kind, delayMs: prng.below(DELAYS_MS[prng.below(DELAYS_MS.length)] as number) };
    case 'line':
      return { kind, lines: 1 + prng.below(LINES[prng.below(LINES.length)] as number) };
    case 'change':
      return { kind, dieAtChange: RECOVERY_CHANGES + prng.below(CHANGES) };
    case 'recovery':
      return { kind, dieAtChange: 1 + prng.below(RECOVERY_CHANGES) };
    case 'blocked':
      return { kind, steps: prng.below(BLOCK_STEPS) };
  }
}
