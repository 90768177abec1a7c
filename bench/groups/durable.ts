import fs from 'node:fs';
import { join } from 'node:path';
import { durableFloor } from '../measuring/floors.ts';
import { type Group, type GroupContext, scaled } from '../measuring/group.ts';
import { makeValue } from '../measuring/workload.ts';

const CALLS_ALONE = 640;
const CALLS_TOGETHER = 6400;
const WAITING = 64;

/** Durable puts alone, against an append with its sync, and 64 that wait together. */
export async function durableGroup({ engine, directory, scale }: GroupContext): Promise<Group> {
  const callsAlone = scaled(CALLS_ALONE, scale);
  const turns = Math.max(1, Math.round((CALLS_TOGETHER * scale) / WAITING));
  const store = await engine.openStore(join(directory, 'store'));
  const descriptor = fs.openSync(join(directory, 'floor'), 'w+');
  let version = 0;
  const floor = durableFloor('write-sync', callsAlone, descriptor);
  const writer = async (name: number) => {
    for (let call = 0; call < turns; call++) {
      await store.putDurable(`durable-${name}-${call}`, makeValue(++version));
    }
  };
  return {
    works: [
      floor,
      {
        id: 'put-durable',
        name: 'putDurable, alone',
        unit: 'ns',
        calls: callsAlone,
        floorId: floor.id,
        target: { kind: 'ratio', limit: 1.2 },
        async run() {
          for (let call = 0; call < callsAlone; call++) {
            await store.putDurable(`durable-${call}`, makeValue(++version));
          }
        },
      },
      {
        id: 'put-durable-64',
        name: 'putDurable, 64 waiting, each',
        unit: 'ns',
        calls: turns * WAITING,
        target: { kind: 'value', limit: 5000 },
        async run() {
          await Promise.all(Array.from({ length: WAITING }, (_, name) => writer(name)));
        },
      },
    ],
    async finish() {
      fs.closeSync(descriptor);
      await store.close();
    },
  };
}
