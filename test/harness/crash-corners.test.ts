import { describe, expect, test } from 'vitest';
import { runMutants } from '../../harness/crash/campaign/mutants-run.ts';
import { CORNERS } from '../../harness/crash/plants/mutant-corners.ts';
import { MUTANTS } from '../../harness/crash/plants/mutants.ts';

describe('the engine as it is passes the corner', () => {
  test.each(CORNERS.map((corner) => [corner.name, corner] as const))(
    '%s',
    async (_name, corner) => {
      await expect(Promise.resolve(corner())).resolves.toBeUndefined();
    },
  );
});

describe('a sync that does not hear of a failed write-back, or asks again, is found', () => {
  test.each([
    ['one-descriptor-for-both-syncs', 'I8'],
    ['one-descriptor-of-the-mark', 'I8'],
    ['failed-sync-retried', 'I9'],
  ])('%s', async (name, invariant) => {
    const mutants = MUTANTS.filter((mutant) => mutant.name === name);
    const [result] = await runMutants(mutants, {
      seed: 1,
      seconds: 60,
      workers: 1,
      signal: new AbortController().signal,
      progress: { print: () => {}, update: () => {} },
    });
    expect(result).toMatchObject({ fate: 'caught', check: 'corners', invariant });
  });
});
