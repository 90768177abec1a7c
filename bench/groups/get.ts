import { closeAll, openSegments, readFloor } from '../measuring/floors.ts';
import { type GroupContext, type SetUpGroup, scaled } from '../measuring/group.ts';
import { fill, formKey, KEY_BYTES, shuffledIndexes } from '../measuring/workload.ts';

const CALLS = 100_000;

/** Gets of random keys against reads of the same bytes at the same places. */
export function getGroup(label: string, keys: number, limit: number): SetUpGroup {
  return async ({ engine, directory, scale }: GroupContext) => {
    const count = scaled(keys, scale);
    const calls = scaled(CALLS, scale);
    const store = await engine.openStore(directory);
    const places = await fill(store, count);
    const order = shuffledIndexes(count);
    const descriptors = openSegments(directory);
    const key = Buffer.alloc(KEY_BYTES);
    const floor = readFloor(`read-${label}`, calls, order, places, descriptors);
    return {
      works: [
        floor,
        {
          id: `get-${label}`,
          name: `get, ${label} keys`,
          unit: 'ns',
          calls,
          floorId: floor.id,
          target: { kind: 'ratio', limit },
          run() {
            for (let call = 0; call < calls; call++) {
              const index = order[call % count] as number;
              if (store.get(formKey(key, index)) === undefined)
                throw new Error(`key ${index} is lost`);
            }
          },
        },
        {
          id: `miss-${label}`,
          name: `get of an absent key, ${label} keys`,
          unit: 'ns',
          calls,
          run() {
            for (let call = 0; call < calls; call++) {
              if (store.get(formKey(key, count + call)) !== undefined)
                throw new Error('found what is not there');
            }
          },
        },
      ],
      async finish() {
        closeAll(descriptors);
        await store.close();
      },
    };
  };
}
