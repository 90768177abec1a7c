import { Prng } from '../../prng.ts';
import { brokenBy, type InvariantBroken } from '../promises/invariants.ts';
import { firstNumbers, shrinkSteps } from '../work/campaign-shrink.ts';
import type { UpkeepCounts } from './upkeep-counts.ts';
import { runHistory } from './upkeep-history.ts';
import { planUpkeep } from './upkeep-steps.ts';

/** What broke an invariant, in the shortest history that does. */
export interface UpkeepFinding {
  readonly seed: number;
  readonly invariant: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** The steps that are left, by their numbers and in words. */
  readonly kept: readonly { readonly number: number; readonly kind: string }[];
}

export type UpkeepResult =
  | { readonly counts: UpkeepCounts; readonly finding: undefined }
  | { readonly counts: undefined; readonly finding: UpkeepFinding };

const SHRINK_MS = 20_000;

/** One history, a pure function of its seed; `only` leaves out steps, by their numbers. */
export async function checkHistory(seed: number, only?: readonly number[]): Promise<UpkeepResult> {
  const steps = planUpkeep(Prng.seeded(seed));
  const numbers = only ?? firstNumbers(steps.length);
  const stepsOf = (kept: readonly number[]) => steps.filter((_, index) => kept.includes(index));
  try {
    return { counts: await runHistory(seed, stepsOf(numbers)), finding: undefined };
  } catch (error) {
    const first = brokenBy(error);
    let last = first;
    const endMs = performance.now() + SHRINK_MS;
    const breaks = async (positions: readonly number[]) => {
      const kept = positions.map((position) => numbers[position] as number);
      const broken = await brokenOf(seed, stepsOf(kept));
      if (broken?.invariant !== first.invariant) return false;
      last = broken;
      return true;
    };
    const hasTime = () => performance.now() < endMs;
    const kept = await shrinkSteps(numbers.length, breaks, hasTime);
    const { invariant, message, stack } = last;
    return {
      counts: undefined,
      finding: {
        seed,
        invariant,
        message,
        stack: (last.cause as Error | undefined)?.stack ?? stack,
        kept: kept.map((position) => {
          const number = numbers[position] as number;
          return { number, kind: steps[number]?.kind ?? '' };
        }),
      },
    };
  }
}

async function brokenOf(
  seed: number,
  steps: Parameters<typeof runHistory>[1],
): Promise<InvariantBroken | undefined> {
  try {
    await runHistory(seed, steps);
    return undefined;
  } catch (error) {
    return brokenBy(error);
  }
}
