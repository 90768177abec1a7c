import { describe, expect, test } from 'vitest';
import { checkCrashStates } from '../../harness/crash/crash-states.ts';
import { recordWorkload } from '../../harness/crash/crash-workload.ts';
import { Prng } from '../../harness/prng.ts';

/** Seeds of a short form; a campaign takes others. */
const SEEDS = [11, 12, 13];

describe('crash states', () => {
  test.each(SEEDS)(
    'every disk image that a power cut may leave recovers to a prefix (seed %d)',
    async (seed) => {
      const prng = Prng.seeded(seed);
      const counts = { images: 0, states: 0, nestedStates: 0 };
      const findings = await checkCrashStates(await recordWorkload(prng, 40), {
        prng,
        budget: { subsets: 20, tearsAWrite: 3 },
        nestOneIn: 200,
        counts,
      });
      expect(findings.map(({ message, depth, at }) => `${message} (depth ${depth}, event ${at})`)).toEqual(
        [],
      );
      expect(counts.states).toBeGreaterThan(500);
      expect(counts.nestedStates).toBeGreaterThan(50);
    },
  );
});
