import {
  type CrashFinding,
  type CrashStateCounts,
  type CrashStateOptions,
  crashStates,
} from './crash-states.ts';
import type { Step } from './crash-steps.ts';
import { recordWorkload } from './crash-workload.ts';

/** A finding in the workload itself, before any power cut, has depth 0. */
export type WorkloadFinding = Omit<CrashFinding, 'depth'> & {
  readonly depth: 0 | CrashFinding['depth'];
};

export interface WorkloadResult {
  /** The first, which ends the check. */
  readonly finding: WorkloadFinding | undefined;
  /** False when it was told to stop before it was through. */
  readonly isComplete: boolean;
}

/** States opened between two turns. */
const STATES_PER_TURN = 32;

/**
 * Records a workload and opens its crash states. `turn` is called now and then, and says whether to
 * go on.
 */
export async function checkWorkload(
  steps: readonly Step[],
  options: CrashStateOptions,
  turn: () => Promise<boolean>,
): Promise<WorkloadResult> {
  const workload = await recordWorkload(steps);
  const { broken } = workload;
  if (broken !== undefined) {
    const finding = {
      broken: broken.by,
      image: broken.image,
      at: workload.trace.length,
      depth: 0,
    } as const;
    return { finding, isComplete: true };
  }
  let states = 0;
  for await (const finding of crashStates(workload, options)) {
    if (finding !== undefined) return { finding, isComplete: true };
    if (++states % STATES_PER_TURN === 0 && !(await turn()))
      return { finding: undefined, isComplete: false };
  }
  return { finding: undefined, isComplete: true };
}

export function noCounts(): CrashStateCounts {
  return { images: 0, states: 0, nestedStates: 0, onDisk: 0 };
}
