import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeState } from '../../harness/crash/promises/store-judge.ts';
import { ABSENT, type Outcome } from '../../harness/workloads/hostile-values.ts';
import type { WorkHistory, WriteGroup } from '../../harness/workloads/work-history.ts';

const KEYS = [0, 1, 2];

/** Few outcomes, so that states that are equal by chance, and deletes, are common. */
const groups = fc
  .array(
    fc.record({
      writes: fc.uniqueArray(fc.record({ key: fc.constantFrom(...KEYS), outcome: fc.nat(3) }), {
        selector: ({ key }) => key,
        minLength: 1,
        maxLength: 3,
      }),
      end: fc.constantFrom('done', 'done', 'done', 'failed'),
    }),
    { maxLength: 6 },
  )
  .map((list) => list.map((group, step) => ({ ...group, step }) as WriteGroup));
const state = fc.array(fc.nat(4), { minLength: KEYS.length, maxLength: KEYS.length });

const inputs = fc
  .record({ before: state, groups, observed: state })
  .chain((input) =>
    fc.record({ input: fc.constant(input), required: fc.nat(input.groups.length) }),
  );

/** Every state that some choice of what happened leaves, one after the other; no cleverness. */
function legalStates(
  { before, groups: all }: WorkHistory,
  required: number,
  kind: 'prefix' | 'per-key',
): Set<string> {
  const start = KEYS.map((key) => before.get(key) ?? ABSENT);
  const choices = (states: number[][], { writes }: WriteGroup, isCertain: boolean): number[][] =>
    writes.reduce(
      (sofar, { key, outcome }) =>
        sofar.flatMap((one) => {
          const written = one.with(key, outcome);
          return isCertain ? [written] : [one, written];
        }),
      states,
    );
  let complete = [start];
  for (const group of all.slice(0, required))
    complete = choices(complete, group, group.end === 'done');
  const legal = new Set(complete.map(String));
  if (kind === 'per-key') {
    let loose = complete;
    // Each write after the required ones happened or not; that is each key by itself.
    for (const group of all.slice(required)) loose = choices(loose, group, false);
    for (const one of loose) legal.add(String(one));
    return legal;
  }
  for (const group of all.slice(required)) {
    for (const one of choices(complete, group, false)) legal.add(String(one));
    complete = choices(complete, group, group.end === 'done');
    for (const one of complete) legal.add(String(one));
  }
  return legal;
}

function historyOf(before: readonly Outcome[], list: readonly WriteGroup[]): WorkHistory {
  return { before: new Map(before.map((outcome, key) => [key, outcome])), groups: list };
}

test.each(['prefix', 'per-key'] as const)(
  '%s: accepts the states that are legal, and no other',
  (kind) => {
    fc.assert(
      fc.property(inputs, ({ input, required }) => {
        const history = historyOf(input.before, input.groups);
        const observed = new Map(input.observed.map((outcome, key) => [key, outcome]));
        const verdict = judgeState(history, required, observed, kind);
        const isLegal = legalStates(history, required, kind).has(String(input.observed));
        expect(verdict === undefined).toBe(isLegal);
      }),
      { numRuns: 1000 },
    );
  },
);

test('every legal state is accepted', () => {
  fc.assert(
    fc.property(inputs, fc.constantFrom('prefix', 'per-key'), ({ input, required }, kind) => {
      const history = historyOf(input.before, input.groups);
      for (const legal of legalStates(history, required, kind)) {
        const observed = new Map(legal.split(',').map((outcome, key) => [key, Number(outcome)]));
        expect(judgeState(history, required, observed, kind)).toBeUndefined();
      }
    }),
    { numRuns: 300 },
  );
});

test('says which step must have survived, and what is there instead', () => {
  const history = historyOf(
    [],
    [
      { step: 4, writes: [{ key: 0, outcome: 7 }], end: 'done' },
      { step: 9, writes: [{ key: 0, outcome: 8 }], end: 'done' },
    ],
  );
  const judged = (outcome: Outcome) =>
    judgeState(history, 2, new Map([[0, outcome]]), 'per-key', () => 'the key k')?.message;
  expect(judged(7)).toBe(
    'the key k holds version 7, and step 9, which must have survived, left version 8',
  );
  expect(judged(ABSENT)).toMatch(/^the key k is absent, and step 9/);
});
