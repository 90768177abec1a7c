import { openSync } from 'node:fs';
import type { OpenStoreUnderTest, StoreUnderTest } from '../../store-under-test.ts';

/**
 * Faults that the self-test puts between driver and store: each is what a real store could do
 * wrong.
 */
export const PLANT_NAMES = [
  'heap-leak',
  'descriptor-leak',
  'latency-drift',
  'lost-write',
  'resurrected-key',
  'wrong-value',
] as const;
export type PlantName = (typeof PLANT_NAMES)[number];

/** Far enough in that everything is warm, early enough for a short run. */
const FIRST_PUT = 5_000;
const FIRST_DELETE = 250;
/** The operation from which on each takes a little longer than the one before. */
const DRIFT_FROM_OPERATION = 100_000;
const DRIFT_US_PER_MILLION = 60;

/** What has happened over all openings in this process. */
class Doings {
  operations = 0;
  puts = 0;
  deletes = 0;
  /** The key whose writes are spoiled: a single one would soon be written over. */
  victim: string | undefined;
  leaked: object | undefined;
}

/** The store that the driver gets instead. */
export function plantIn(plant: PlantName, open: OpenStoreUnderTest): OpenStoreUnderTest {
  const doings = new Doings();
  return async (directory, options) => {
    const store = await open(directory, options);
    const planted: StoreUnderTest = {
      get(key) {
        spoilOperation(doings, plant);
        return store.get(key);
      },
      put(key, value) {
        spoilOperation(doings, plant);
        if (!isSpoiled(doings, key, ++doings.puts === FIRST_PUT)) return store.put(key, value);
        if (plant === 'lost-write') return;
        return store.put(key, plant === 'wrong-value' ? damaged(value) : value);
      },
      delete(key) {
        spoilOperation(doings, plant);
        if (plant === 'resurrected-key' && ++doings.deletes >= FIRST_DELETE) return;
        return store.delete(key);
      },
      sync: () => store.sync?.(),
      entries: () => store.entries(),
      close: () => store.close(),
    };
    const { compact, stats } = store;
    if (compact !== undefined) {
      planted.compact = () => {
        // Kept for good, and by nobody.
        if (plant === 'descriptor-leak') openSync('/dev/null', 'r');
        return compact.call(store);
      };
    }
    if (stats !== undefined) planted.stats = () => stats.call(store);
    return planted;
  };
}

function spoilOperation(doings: Doings, plant: PlantName): void {
  doings.operations++;
  if (plant === 'heap-leak') {
    // Three words of header and five fields: 64 bytes on the V8 heap.
    doings.leaked = { next: doings.leaked, a: doings.operations, b: 1, c: 2, d: 3 };
  }
  if (plant === 'latency-drift' && doings.operations > DRIFT_FROM_OPERATION) {
    busyWait(((doings.operations - DRIFT_FROM_OPERATION) * DRIFT_US_PER_MILLION) / 1e9);
  }
}

function isSpoiled(doings: Doings, key: Uint8Array, isFirst: boolean): boolean {
  const name = Buffer.from(key).toString('latin1');
  if (isFirst) doings.victim = name;
  return doings.victim === name;
}

/** A timer is far too coarse. */
function busyWait(durationMs: number): void {
  const untilMs = performance.now() + durationMs;
  while (performance.now() < untilMs);
}

function damaged(value: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(value);
  copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
  return copy;
}
