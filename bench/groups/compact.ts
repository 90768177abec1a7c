import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../../harness/prng.ts';
import { type Group, type GroupContext, scaled, type Work } from '../measuring/group.ts';
import { formKey, KEY_BYTES, turn } from '../measuring/workload.ts';

const MEGABYTE = 1e6;
const LOG_BYTES = 250 * MEGABYTE;
/** 150 MB a second. */
const MOST_NS_PER_MEGABYTE = 1e9 / 150;
/**
 * The average; keys are chosen evenly. The newest segment is nearly all alive, the oldest hardly.
 */
const PUTS_PER_KEY = 2;
const SEED = 1;

/** Merging a log of overwrites, with nothing beside it; each run fills a store anew. */
export function compactGroup({ engine, directory, scale }: GroupContext): Group {
  const work = (valueBytes: number, name: string): Work => ({
    id: `compact-${valueBytes}`,
    name: `compact, values of ${name}, each MB of input`,
    unit: 'ns',
    calls: 1,
    target: { kind: 'value', limit: MOST_NS_PER_MEGABYTE },
    async run() {
      const own = join(directory, String(valueBytes));
      const records = scaled(LOG_BYTES / (28 + KEY_BYTES + valueBytes), scale);
      const store = await engine.openStore(own);
      try {
        const key = Buffer.alloc(KEY_BYTES);
        const value = Buffer.alloc(valueBytes, 7);
        const keys = Math.round(records / PUTS_PER_KEY);
        const prng = Prng.seeded(SEED);
        for (let record = 0; record < records; record++) {
          store.put(formKey(key, prng.below(keys)), value);
          if (record % 1000 === 0) await turn();
        }
        await store.sync();
        store.rotate();
        // What waits for its seal would be waited for in the time of the merges.
        while (store.stats().unwrittenSeals > 0) await turn();
        const startNs = process.hrtime.bigint();
        const { inputBytes } = await store.compact();
        return (Number(process.hrtime.bigint() - startNs) / inputBytes) * MEGABYTE;
      } finally {
        await store.close();
        rmSync(own, { recursive: true });
      }
    },
  });
  return { works: [work(100, '100 B'), work(1024, '1 KiB')], finish: async () => {} };
}
