import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatScript,
  parseScript,
  type ScriptedRound,
} from '../../harness/crash/kills/kill-script.ts';
import { shrinkScript } from '../../harness/crash/kills/kill-shrink.ts';

const rounds: fc.Arbitrary<ScriptedRound[]> = fc.array(
  fc.record({
    round: fc.nat(99),
    steps: fc
      .uniqueArray(fc.nat(300), { maxLength: 12 })
      .map((steps) => steps.sort((a, b) => a - b)),
    dieAtChange: fc.nat(20),
    blocks: fc.boolean(),
    opens: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

test('a script survives the way through a command line', () => {
  fc.assert(
    fc.property(rounds, (generated) => {
      // A process that dies in a change does not block.
      const script = generated.map((one) => ({
        ...one,
        blocks: one.blocks && one.dieAtChange === 0,
      }));
      expect(parseScript(formatScript(script))).toEqual(script);
    }),
  );
});

test('words that are no script are refused', () => {
  for (const text of ['', '0', '0:1;', '0:a', '0:1!', '0:1!2*'])
    expect(() => parseScript(text)).toThrow(SyntaxError);
});

function round(number: number, stepCount: number, dieAtChange = 0): ScriptedRound {
  const steps = Array.from({ length: stepCount }, (_, step) => step);
  return { round: number, steps, dieAtChange, blocks: false, opens: false };
}

test('what is left of a script is the rounds, the steps and the change that the failure needs', async () => {
  const needed = (script: readonly ScriptedRound[]) => {
    const cause = script.findIndex(
      (one) => one.round === 2 && one.steps.includes(17) && one.dieAtChange >= 3,
    );
    const effect = script.findIndex((one) => one.round === 5 && one.steps.includes(4));
    return cause >= 0 && effect > cause;
  };
  const script = [
    round(0, 50),
    round(1, 3),
    round(2, 40, 9),
    round(3, 20),
    round(4, 0),
    round(5, 30),
    round(6, 9),
  ];
  const shrunk = await shrinkScript(
    script,
    true,
    async (candidate) => needed(candidate),
    () => true,
  );
  expect(shrunk).toEqual([
    { ...round(2, 0, 3), steps: [17] },
    { ...round(5, 0), steps: [4] },
    // The last round is the one in which the failure was seen.
    round(6, 0),
  ]);
});

test('a death from outside is looked for at exact points of the step that it may have been in', async () => {
  const fails = async (script: readonly ScriptedRound[]) => {
    const last = script.at(-1);
    return last?.steps.at(-1) === 7 && last.dieAtChange === 2;
  };
  const shrunk = await shrinkScript([round(0, 7)], true, fails, () => true);
  expect(shrunk).toEqual([{ ...round(0, 0, 2), steps: [7] }]);
  expect(await shrinkScript([round(0, 7)], false, fails, () => true)).toBeUndefined();
});
