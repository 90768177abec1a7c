import { expect, test } from 'vitest';
import { ODD_CALLS, zooRound } from '../../harness/arguments/argument-zoo.ts';
import { Prng } from '../../harness/prng.ts';

test('a call with odd arguments is refused and changes nothing, or does what plain ones would', async () => {
  expect(ODD_CALLS.length).toBeGreaterThan(700);
  const { refused, accepted } = await zooRound(Prng.seeded(1), ODD_CALLS);
  expect(refused + accepted).toBe(ODD_CALLS.length);
  expect(refused).toBeGreaterThan(500);
  expect(accepted).toBeGreaterThan(100);
});
