import type { StoreContract } from '../../contract.ts';
import { HOSTILE_KEY_COUNT, HostileValues } from '../../workloads/hostile-values.ts';
import { type WorkShape, type WorkStep, workSteps } from '../../workloads/work-steps.ts';

/** Few, so that every one is written again and again. */
const KEYS = [0, 1, 2, 3, 4, 5].map((index) => HOSTILE_KEY_COUNT + index);

export interface NumberedStep {
  readonly number: number;
  readonly step: WorkStep;
}

export interface StoreAbilities {
  readonly syncs: boolean;
  readonly compacts: boolean;
}

/** Hostile keys are judged where nothing crashes; here a value is never empty. */
export function cutShape({ concurrent }: StoreContract, abilities: StoreAbilities): WorkShape {
  return { takesEmpty: false, takesLarge: false, keys: KEYS, concurrent, ...abilities };
}

export function cutValues(seed: number, shape: WorkShape): HostileValues {
  return new HostileValues(seed, HOSTILE_KEY_COUNT + KEYS.length + 1, shape);
}

/** A key that no workload writes, for the put after the recovery. */
export const UNUSED_KEY = HOSTILE_KEY_COUNT + KEYS.length;

/** The first `count` steps that change something. */
export function cutSteps(seed: number, count: number, shape: WorkShape): NumberedStep[] {
  const steps: NumberedStep[] = [];
  for (const step of workSteps(seed, 0, shape)) {
    if (steps.length === count) break;
    if (['write', 'sync', 'compact', 'reopen'].includes(step.kind))
      steps.push({ number: steps.length, step });
  }
  return steps;
}
