import { openStore } from '../../src/engine/index.ts';
import type { DeclaredContract } from '../contract.ts';
import type { OpenStoreUnderTest } from '../store-under-test.ts';

/** The engine's default: read descriptors kept open. */
const READ_DESCRIPTORS = 16;
/**
 * The lock, two of the mark, two each of the active segment, of a sealed one whose sync is running
 * and of one that waits for it, a seal that is being written and its segment, and a directory while
 * it is synced.
 */
const WRITE_DESCRIPTORS = 3 + 3 * 2 + 2 + 1;
/**
 * A merge: its output, the output's seal, the segment that it reads, and up to sixteen old ones
 * until all are moved.
 */
const MERGE_DESCRIPTORS = 3 + 16;

export const contract: DeclaredContract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  concurrent: true,
};

/** tidemark under test, which compacts itself online, and when it is asked to. */
const open: OpenStoreUnderTest = async (directory, { probes = [] } = {}) => {
  let rotations = 0;
  const store = await openStore(directory, {
    descriptorPoolSize: READ_DESCRIPTORS,
    name: 'soak',
    compaction: { auto: {} },
    probe: [...probes, { event: ({ kind }) => void (kind === 'rotated' && rotations++) }],
  });
  return {
    get: (key) => store.get(key),
    put: (key, value) => store.put(key, value),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    entries: () => store.entries(),
    close: () => store.close(),
    compact: () => store.compact(),
    stats() {
      const stats = store.stats();
      return {
        ...stats,
        rotations,
        diskBytes: stats.sealedBytes + stats.activeBytes,
        descriptorLimit: WRITE_DESCRIPTORS + MERGE_DESCRIPTORS + READ_DESCRIPTORS,
      };
    },
  };
};

export default open;
