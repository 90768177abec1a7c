import { join } from 'node:path';
import { type Group, type GroupContext, scaled, type Work } from '../measuring/group.ts';
import { fill, formKey, KEY_BYTES, shuffledIndexes } from '../measuring/workload.ts';

const KEYS = 100_000;
const CALLS = 100_000;
const KEYS_PER_CALL = 1000;

/**
 * A thousand keys at once, that were put one after the other or that lie anywhere, against a get
 * for each.
 */
export async function getManyGroup({ engine, directory, scale }: GroupContext): Promise<Group> {
  const count = scaled(KEYS, scale);
  const calls = scaled(CALLS, scale);
  const store = await engine.openStore(join(directory, 'store'));
  await fill(store, count);
  const keys = Array.from({ length: KEYS_PER_CALL }, () => Buffer.alloc(KEY_BYTES));
  const orders = [
    {
      id: 'sorted',
      name: 'neighbours in order',
      order: Uint32Array.from({ length: count }, (_, index) => index),
    },
    { id: 'random', name: 'random keys', order: shuffledIndexes(count) },
  ];
  const works = orders.flatMap(({ id, name, order }): Work[] => {
    const keysFrom = (call: number) =>
      keys.map((key, index) => formKey(key, order[(call + index) % count] as number));
    return [
      {
        id: `get-each-${id}`,
        name: `get, ${name}, 100k keys`,
        unit: 'ns',
        calls,
        run() {
          for (let call = 0; call < calls; call += KEYS_PER_CALL) {
            for (const key of keysFrom(call))
              if (store.get(key) === undefined) throw new Error(`${key} is lost`);
          }
        },
      },
      {
        id: `get-many-${id}`,
        name: `getMany of 1,000, ${name}, each`,
        unit: 'ns',
        calls,
        floorId: `get-each-${id}`,
        run() {
          for (let call = 0; call < calls; call += KEYS_PER_CALL) {
            if (store.getMany(keysFrom(call)).includes(undefined)) throw new Error('a key is lost');
          }
        },
      },
    ];
  });
  return { works, finish: () => store.close() };
}
