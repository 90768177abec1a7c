import { join } from 'node:path';
import { type Group, type GroupContext, scaled } from '../measuring/group.ts';
import { measureOpenMemory } from '../measuring/open-memory.ts';
import { fill } from '../measuring/workload.ts';

const KEYS = 1_000_000;
const LOG_BYTES = 1_100_000_000;
/** Keys of the log that is opened: their keydir is part of what opening adds. */
const LOG_KEYS = 100_000;

/**
 * What a key takes, and what opening a large log takes. Each is measured once: memory has no slow
 * moments.
 */
export function memoryGroup({ engine, engineUrl, directory, scale }: GroupContext): Group {
  return {
    works: [
      {
        id: 'memory-key',
        name: 'memory a key, 1M keys of 16 bytes',
        unit: 'bytes',
        calls: 1,
        target: { kind: 'value', limit: 64 },
        async run() {
          const keys = scaled(KEYS, scale);
          const store = await engine.openStore(join(directory, 'keys'));
          await fill(store, keys);
          const { keydirBytes } = store.stats();
          await store.close();
          return keydirBytes / keys;
        },
      },
      {
        id: 'heap-key',
        name: 'V8 heap a key, 1M keys',
        unit: 'bytes',
        calls: 1,
        target: { kind: 'value', limit: 1 },
        async run() {
          const keys = scaled(KEYS, scale);
          const before = collectedHeapBytes();
          const store = await engine.openStore(join(directory, 'heap'));
          await fill(store, keys);
          const heapBytes = collectedHeapBytes() - before;
          await store.close();
          return Math.max(0, heapBytes) / keys;
        },
      },
      {
        id: 'memory-open',
        name: 'memory to open a log of 1.1 GB, over the bare process',
        unit: 'bytes',
        calls: 1,
        target: { kind: 'value', limit: 64_000_000 },
        async run() {
          const { bareBytes, openBytes } = await measureOpenMemory(
            engineUrl,
            join(directory, 'log'),
            scaled(LOG_KEYS, scale),
            LOG_BYTES * scale,
          );
          return openBytes - bareBytes;
        },
      },
    ],
    finish: async () => {},
  };
}

/** Needs `--expose-gc`. */
function collectedHeapBytes(): number {
  (globalThis.gc as () => void)();
  return process.memoryUsage().heapUsed;
}
