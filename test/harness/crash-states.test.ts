import { describe, expect, test } from 'vitest';
import type { CrashStateOptions } from '../../harness/crash/states/crash-states.ts';
import { planSteps } from '../../harness/crash/states/crash-steps.ts';
import { checkWorkload, noCounts } from '../../harness/crash/states/workload-check.ts';
import { STATES_BUDGET } from '../../harness/crash/work/campaign-budget.ts';
import { Prng } from '../../harness/prng.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Seeds of a short form; a campaign takes others. */
const SEEDS = [11, 12, 13, 14];

describe('crash states', () => {
  test('every disk image that a power cut may leave keeps the promises', async () => {
    const counts = noCounts();
    for (const seed of SEEDS) {
      const onDisk = { oneIn: 500, parent: temporaryDirectory() };
      const options: CrashStateOptions = { ...STATES_BUDGET, seed, onDisk, counts };
      const result = await checkWorkload(
        planSteps(Prng.seeded(seed), 25),
        options,
        async () => true,
      );
      expect({ seed, ...result }).toEqual({ seed, finding: undefined, isComplete: true });
    }
    expect(counts.states).toBeGreaterThan(500);
    expect(counts.nestedStates).toBeGreaterThan(50);
  });
});
