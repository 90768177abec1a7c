import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Group, type GroupContext, scaled } from '../measuring/group.ts';
import { formKey, KEY_BYTES, turn } from '../measuring/workload.ts';

const LOG_BYTES = 1e9;
const VALUE_BYTES = 1024;
const KEYS = 100_000;
/**
 * Less than a millisecond of puts between two turns of the event loop, so that its delay shows
 * stalls and not this loop.
 */
const PUTS_PER_TURN = 50;

/**
 * The longest that the event loop stood still while a gigabyte was written, with rotations and
 * sealing on the way.
 */
export async function stallGroup({ engine, directory, scale }: GroupContext): Promise<Group> {
  const puts = scaled(LOG_BYTES / (28 + KEY_BYTES + VALUE_BYTES), scale);
  const store = await engine.openStore(join(directory, 'store'));
  return {
    works: [
      {
        id: 'stall-1gb',
        name: 'longest delay of the event loop while 1 GB is written',
        unit: 'ns',
        calls: 1,
        async run() {
          const key = Buffer.alloc(KEY_BYTES);
          const value = Buffer.alloc(VALUE_BYTES, 7);
          const delay = monitorEventLoopDelay({ resolution: 1 });
          delay.enable();
          for (let call = 0; call < puts; call++) {
            store.put(formKey(key, call % KEYS), value);
            if (call % PUTS_PER_TURN === 0) await turn();
          }
          await store.sync();
          // What is sealed last is part of the run.
          while (store.stats().unwrittenSeals > 0) await turn();
          delay.disable();
          return delay.max;
        },
      },
    ],
    finish: () => store.close(),
  };
}
