import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChaosPlan } from '../../../harness/soak/chaos-plan.ts';

test('the kills come one in each part of the run, and leave the last process enough of it to show a trend', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 12 }), (seed, kills) => {
      const plan = new ChaosPlan({ seed, chaos: { kills, survives: 'put' } });
      const shares = Array.from({ length: 1000 }, (_, index) => index / 1000);
      const killedAt = shares.filter((share) => plan.nextKillAfterMs(share, 100) !== undefined);
      expect(killedAt).toHaveLength(kills);
      expect(killedAt.at(-1)).toBeLessThanOrEqual(0.601);
    }),
  );
});
