import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shrinkSteps } from '../../harness/crash/work/campaign-shrink.ts';

describe('shrinking a list of steps', () => {
  test('leaves exactly the steps that a failure needs', async () => {
    const cases = fc
      .integer({ min: 1, max: 60 })
      .chain((count) =>
        fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: 5 })),
      );
    await fc.assert(
      fc.asyncProperty(cases, async ([count, needed]) => {
        const fails = async (kept: readonly number[]) =>
          needed.every((number) => kept.includes(number));
        const left = await shrinkSteps(count, fails, () => true);
        expect([...left]).toEqual(needed.toSorted((a, b) => a - b));
      }),
    );
  });

  test('ends with what it has when the time is over', async () => {
    let tries = 0;
    const fails = async (kept: readonly number[]) => {
      tries++;
      return kept.includes(3);
    };
    expect(await shrinkSteps(40, fails, () => tries < 2)).toEqual(
      Array.from({ length: 10 }, (_, at) => at),
    );
  });
});
