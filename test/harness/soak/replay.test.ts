import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Oracle } from '../../../harness/oracle.ts';
import { Ledger } from '../../../harness/soak/run/ledger.ts';
import { replay } from '../../../harness/soak/run/replay.ts';
import type { StoreUnderTest } from '../../../harness/store-under-test.ts';
import { SyntheticValues } from '../../../harness/synthetic-values.ts';
import { SyntheticWorkload } from '../../../harness/workload.ts';

const KEYS = 6;

function materialOf(seed: number) {
  const values = new SyntheticValues(seed, KEYS);
  const ledger = new Ledger(values, new Oracle(KEYS));
  return { values, ledger, workload: new SyntheticWorkload(seed, ledger.oracle) };
}

/** What a store holds after so many operations. */
function pairsAfter(seed: number, operations: number): Map<string, Uint8Array> {
  const { values, ledger, workload } = materialOf(seed);
  while (ledger.totals.operations < operations) ledger.enter(workload.next());
  const pairs = new Map<string, Uint8Array>();
  for (let keyNumber = 0; keyNumber < KEYS; keyNumber++) {
    const version = ledger.oracle.liveVersionOf(keyNumber);
    if (version > 0) pairs.set(String(values.keyOf(keyNumber)), values.valueOf(keyNumber, version));
  }
  return pairs;
}

function storeOf(pairs: Map<string, Uint8Array>): StoreUnderTest {
  const nothing = () => {};
  const get = (key: Uint8Array) => pairs.get(String(key));
  return { get, put: nothing, delete: nothing, sync: nothing, entries: () => [], close: nothing };
}

const COUNTS = { syncs: 1, compacts: 2, reopens: 3, keysChecked: 4, rotates: 5, byTime: 0 };
const runs = fc.record({
  seed: fc.nat(),
  synced: fc.integer({ min: 0, max: 60 }),
  unsynced: fc.integer({ min: 0, max: 30 }),
  /** The share of the operations after the sync that the store has kept. */
  keptShare: fc.double({ min: 0, max: 1, noNaN: true }),
});

async function settle(
  seed: number,
  acknowledged: number,
  synced: number,
  survives: 'put' | 'sync',
  kept: number,
) {
  const material = materialOf(seed);
  const last = {
    acknowledged: {
      operations: acknowledged,
      syncedOperations: synced,
      counts: COUNTS,
      syncedAtMs: 0,
    },
    survives,
  };
  const undecided = replay(material, [], last);
  return { material, ...(await undecided.settle(storeOf(pairsAfter(seed, kept)))) };
}

test('with "sync", any state from the last sync to the operation in flight is right, and is what counts from there', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ seed, synced, unsynced, keptShare }) => {
      const kept = synced + Math.round((unsynced + 1) * keptShare);
      const { material, adoptions, violations } = await settle(
        seed,
        synced + unsynced,
        synced,
        'sync',
        kept,
      );
      expect(violations).toEqual([]);
      const expected = materialOf(seed);
      while (expected.ledger.totals.operations < kept)
        expected.ledger.enter(expected.workload.next());
      const live = (ledger: Ledger) =>
        Array.from({ length: KEYS }, (_, key) => ledger.oracle.liveVersionOf(key));
      expect(live(material.ledger)).toEqual(live(expected.ledger));
      expect(material.ledger.liveBytes).toBe(expected.ledger.liveBytes);
      expect(material.ledger.totals).toMatchObject({
        operations: synced + unsynced + 1,
        ...COUNTS,
      });

      // The next process repeats it all, and comes to the same.
      const next = materialOf(seed);
      const acknowledged = {
        operations: synced + unsynced,
        syncedOperations: synced,
        counts: COUNTS,
        syncedAtMs: 0,
      };
      replay(next, [{ acknowledged, survives: 'sync', adoptions }], {
        acknowledged,
        survives: 'sync',
      });
      expect(live(next.ledger)).toEqual(live(material.ledger));
    }),
    { numRuns: 60 },
  );
});

test('with "put", the operation in flight may be there or not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 0, max: 60 }),
      fc.boolean(),
      async (seed, count, happened) => {
        const { violations } = await settle(seed, count, 0, 'put', count + (happened ? 1 : 0));
        expect(violations).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
});
