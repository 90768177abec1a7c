import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Oracle } from '../../harness/oracle.ts';
import { StoreCheck, type Violation } from '../../harness/store-check.ts';
import type { StoreUnderTest } from '../../harness/store-under-test.ts';
import { SyntheticValues } from '../../harness/synthetic-values.ts';

const KEYS = 40;
const values = new SyntheticValues(3, KEYS);

/** A Map under the interface; what it holds is what a test puts there. */
function storeOf(pairs: Map<string, Uint8Array>): StoreUnderTest {
  return {
    get: (key) => pairs.get(String(key)),
    put: () => {},
    delete: () => {},
    sync: () => {},
    entries: () => [...pairs].map(([key, value]) => [Buffer.from(key), value] as const),
    close: () => {},
  };
}

async function violationsOf(sweep: AsyncGenerator<Violation | number>): Promise<Violation[]> {
  const found: Violation[] = [];
  for await (const item of sweep) if (typeof item !== 'number') found.push(item);
  return found;
}

/** What is done to the store behind the oracle's back, and what a sweep must call it. */
const PLANTS = {
  nothing: undefined,
  remove: 'lost',
  damage: 'wrong',
  stale: 'wrong',
  resurrect: 'resurrected',
  invent: 'invented',
} as const;

test('both sweeps find exactly the keys that were tampered with, and say how', async () => {
  const plans = fc.array(fc.constantFrom(...(Object.keys(PLANTS) as (keyof typeof PLANTS)[])), {
    minLength: KEYS,
    maxLength: KEYS,
  });
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const oracle = new Oracle(KEYS);
      const pairs = new Map<string, Uint8Array>();
      const expected: [key: string, kind: string][] = [];
      for (const [keyNumber, plant] of plan.entries()) {
        const key = String(values.keyOf(keyNumber));
        if (plant !== 'invent') {
          oracle.put(keyNumber, 1);
          oracle.put(keyNumber, 2);
          pairs.set(key, values.valueOf(keyNumber, 2));
        }
        if (plant === 'remove') pairs.delete(key);
        if (plant === 'damage')
          pairs.set(key, values.valueOf(keyNumber, 2).fill(0, 40, 41).subarray(1));
        if (plant === 'stale') pairs.set(key, values.valueOf(keyNumber, 1));
        if (plant === 'resurrect') oracle.delete(keyNumber);
        if (plant === 'invent') pairs.set(key, values.valueOf(keyNumber, 1));
        const kind = PLANTS[plant];
        if (kind !== undefined) expected.push([`"${key}"`, kind]);
      }
      const check = new StoreCheck(values, oracle);
      const store = storeOf(pairs);
      const summary = (violations: Violation[]) =>
        violations.map(({ key, kind }) => [key, kind]).sort();
      expect(summary(await violationsOf(check.everyKey(store)))).toEqual(expected.sort());
      expect(summary(await violationsOf(check.everyEntry(store)))).toEqual(expected.sort());
    }),
    { numRuns: 50 },
  );
});

test('a listing that names a key twice, or one that is no key of the run, invents', async () => {
  const oracle = new Oracle(KEYS);
  oracle.put(1, 1);
  const entry = [values.keyOf(1), values.valueOf(1, 1)] as const;
  const store = {
    ...storeOf(new Map()),
    entries: () => [entry, entry, [Buffer.from([0, 255]), Buffer.alloc(1)] as const],
  };
  expect(await violationsOf(new StoreCheck(values, oracle).everyEntry(store))).toEqual([
    { kind: 'invented', key: '"key-000000000001"', detail: 'is listed twice by entries()' },
    { kind: 'invented', key: 'hex:00ff', detail: 'is listed by entries(), and was never put' },
  ]);
});

test('a value that is not bytes is the mistake of an adapter', () => {
  const check = new StoreCheck(values, new Oracle(KEYS));
  expect(() => check.judge(0, null as unknown as undefined)).toThrow(
    /must be a Uint8Array or undefined, not null/,
  );
});
