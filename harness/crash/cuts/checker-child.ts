import { loadAdapter } from '../../adapters/load-adapter.ts';
import type { StoreUnderTest } from '../../store-under-test.ts';
import { ABSENT, type HostileValues, type Outcome } from '../../workloads/hostile-values.ts';
import type { WorkShape } from '../../workloads/work-steps.ts';
import { cutValues, UNUSED_KEY } from '../recording/record-steps.ts';
import type { CheckTask, Observation } from './checker-pool.ts';

/** Opens images one after the other, each in a directory of its own, until it is told to end. */
process.on('disconnect', () => process.exit());
process.on('message', (task: CheckTask) => {
  void observe(task).then((observation) => process.send?.({ observation, rss: rssBytes() }));
});

let made: { readonly seed: number; readonly values: HostileValues } | undefined;

/** They take some time to make. */
function valuesOf(seed: number, shape: WorkShape): HostileValues {
  if (made?.seed !== seed) made = { seed, values: cutValues(seed, shape) };
  return made.values;
}

function rssBytes(): number {
  return process.memoryUsage.rss();
}

async function observe(task: CheckTask): Promise<Observation> {
  const { adapter, directory, seed, shape, ordered } = task;
  const values = valuesOf(seed, shape);
  let doing = 'opening';
  let store: StoreUnderTest | undefined;
  try {
    const open = await loadAdapter(adapter);
    store = await open(directory);
    doing = 'listing what is there';
    const held = await listingOf(store, values, ordered);
    if ('promise' in held) return held;
    doing = 'reading each key';
    for (const key of shape.keys) {
      const found = await store.get(values.keyOf(key));
      const shown = held.get(key) ?? ABSENT;
      if (values.outcomeIn(key, found) !== shown) {
        const message = `get of ${values.keyName(key)} and entries() say different things`;
        return { kind: 'broken', promise: 'reads', message };
      }
    }
    const pairs = [...held];
    const unusable = await useIt(task, store, values, held, (what) => {
      doing = what;
    });
    store = undefined;
    return unusable ?? { kind: 'holds', pairs };
  } catch (error) {
    const message = `${doing} fails: ${error instanceof Error ? error.message : String(error)}`;
    const promise = doing === 'opening' ? 'opens' : doing.startsWith('after') ? 'usable' : 'reads';
    return { kind: 'broken', promise, message };
  } finally {
    await Promise.resolve(store?.close()).catch(() => {});
  }
}

async function listingOf(
  store: StoreUnderTest,
  values: HostileValues,
  ordered: boolean,
): Promise<Map<number, Outcome> | Extract<Observation, { kind: 'broken' }>> {
  const held = new Map<number, Outcome>();
  let before: Buffer | undefined;
  for await (const [keyBytes, value] of store.entries()) {
    const key = values.numberOf(keyBytes);
    const outcome = key === undefined ? undefined : values.outcomeIn(key, value);
    if (key === undefined || outcome === undefined) {
      const name = key === undefined ? `a key of ${keyBytes.length} bytes` : values.keyName(key);
      const what = key === undefined ? 'was never put' : `holds ${value.length} bytes never put so`;
      return { kind: 'broken', promise: 'invented', message: `${name} ${what}` };
    }
    if (held.has(key))
      return { kind: 'broken', promise: 'reads', message: `entries() shows a key twice` };
    const copy = Buffer.from(keyBytes);
    if (ordered && before !== undefined && Buffer.compare(before, copy) >= 0)
      return { kind: 'broken', promise: 'ordered', message: 'entries() is out of order' };
    before = copy;
    held.set(key, outcome);
  }
  return held;
}

/** A store that opens and then loses the next write is broken. Closes it. */
async function useIt(
  { adapter, directory }: CheckTask,
  store: StoreUnderTest,
  values: HostileValues,
  held: ReadonlyMap<number, Outcome>,
  doing: (what: string) => void,
): Promise<Observation | undefined> {
  const open = await loadAdapter(adapter);
  doing('after the recovery a put');
  await store.put(values.keyOf(UNUSED_KEY), values.valueOf(UNUSED_KEY, 1));
  doing('after the recovery a sync');
  await store.sync?.();
  doing('after the recovery a close');
  await store.close();
  doing('after the recovery a second opening');
  const again = await open(directory);
  try {
    const expected = new Map(held).set(UNUSED_KEY, 1);
    const found = await listingOf(again, values, false);
    if ('promise' in found)
      return { ...found, promise: 'usable', message: `reopened, ${found.message}` };
    for (const [key, outcome] of expected) {
      if (found.get(key) === outcome) continue;
      const message = `${values.keyName(key)} is lost or changed by a put, a sync and a reopening`;
      return { kind: 'broken', promise: 'usable', message };
    }
    if (found.size > expected.size)
      return { kind: 'broken', promise: 'usable', message: 'keys came back after a reopening' };
    return undefined;
  } finally {
    await again.close();
  }
}
