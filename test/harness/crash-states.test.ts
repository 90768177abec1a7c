import { describe, expect, test } from 'vitest';
import { STATES_BUDGET } from '../../harness/crash/campaign-budget.ts';
import type { CrashStateOptions } from '../../harness/crash/crash-states.ts';
import { planSteps } from '../../harness/crash/crash-steps.ts';
import { checkWorkload, noCounts } from '../../harness/crash/workload-check.ts';
import { Prng } from '../../harness/prng.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Seeds of a short form; a campaign takes others. */
const SEEDS = [11, 12, 13];

describe('crash states', () => {
  test.each(SEEDS)(
    'every disk image that a power cut may leave keeps the promises (seed %d)',
    async (seed) => {
      const options: CrashStateOptions = {
        ...STATES_BUDGET,
        seed,
        onDisk: { oneIn: 500, parent: temporaryDirectory() },
        counts: noCounts(),
      };
      const result = await checkWorkload(planSteps(Prng.seeded(seed), 25), options, async () => true);
      expect(result).toEqual({ finding: undefined, isComplete: true });
      expect(options.counts.states).toBeGreaterThan(100);
      expect(options.counts.nestedStates).toBeGreaterThan(10);
    },
  );
});
