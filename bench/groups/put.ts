import fs from 'node:fs';
import { join } from 'node:path';
import type { BatchOperation } from '../../src/engine/index.ts';
import { writeFloor } from '../measuring/floors.ts';
import { type Group, type GroupContext, scaled } from '../measuring/group.ts';
import { formKey, KEY_BYTES, makeValue } from '../measuring/workload.ts';

const CALLS = 100_000;
const BATCH = 1000;

/**
 * Puts of new values, one write call each and a thousand together, against writes of the same
 * bytes.
 */
export async function putGroup({ engine, directory, scale }: GroupContext): Promise<Group> {
  const calls = scaled(CALLS, scale);
  const batchCalls = Math.max(calls, BATCH);
  const store = await engine.openStore(join(directory, 'store'));
  const descriptor = fs.openSync(join(directory, 'floor'), 'w+');
  const key = Buffer.alloc(KEY_BYTES);
  const keys = Array.from({ length: BATCH }, () => Buffer.alloc(KEY_BYTES));
  let version = 0;
  const floor = writeFloor('write', calls, descriptor);
  return {
    works: [
      floor,
      {
        id: 'put',
        name: 'put',
        unit: 'ns',
        calls,
        floorId: floor.id,
        target: { kind: 'ratio', limit: 1.5 },
        run() {
          const value = makeValue(++version);
          for (let call = 0; call < calls; call++) store.put(formKey(key, call), value);
        },
      },
      {
        id: 'batch-1000',
        name: 'batch of 1,000 puts, each',
        unit: 'ns',
        calls: batchCalls,
        target: { kind: 'value', limit: 600 },
        run() {
          const value = makeValue(++version);
          for (let call = 0; call < batchCalls; call += BATCH) {
            const operations: BatchOperation[] = keys.map((key, index) => ({
              type: 'put',
              key: formKey(key, call + index),
              value,
            }));
            store.batch(operations);
          }
        },
      },
    ],
    async finish() {
      fs.closeSync(descriptor);
      await store.close();
    },
  };
}
