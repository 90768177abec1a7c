import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/engine/index.ts';
import type { OpenStoreUnderTest } from '../store-under-test.ts';

/** The engine's default: read descriptors kept open. */
const READ_DESCRIPTORS = 16;
/**
 * The lock, two of the mark, two each of the active segment, of a sealed one whose sync is running and of one that waits for
 * it, and a directory while it is synced; a compaction writes a second log beside the first.
 */
const WRITE_DESCRIPTORS = 3 + 3 * 2 + 1;
const DESCRIPTOR_LIMIT = 2 * WRITE_DESCRIPTORS + READ_DESCRIPTORS;

const GENERATION = /^generation-(\d+)$/;

/**
 * tidemark under test, compacted as it has to be until it can compact online: into a new directory, with which it
 * goes on. Nothing is written between the last byte of the copy and the switch, so that the later of two whole
 * generations is always the right one.
 */
const open: OpenStoreUnderTest = async (root, { probes = [] } = {}) => {
  mkdirSync(root, { recursive: true });
  let generation = takeLatestGeneration(root);
  let rotations = 0;
  const openGeneration = () =>
    openStore(join(root, nameOf(generation)), {
      descriptorPoolSize: READ_DESCRIPTORS,
      name: 'soak',
      probe: [...probes, { rotated: () => rotations++ }],
    });
  let store = await openGeneration();
  return {
    get: (key) => store.get(key),
    put: (key, value) => store.put(key, value),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    entries: () => store.entries(),
    close: () => store.close(),
    async compact() {
      await store.compactTo(join(root, nameOf(generation + 1)));
      await store.close();
      const previous = nameOf(generation++);
      store = await openGeneration();
      remove(root, previous);
    },
    stats() {
      const stats = store.stats();
      return {
        ...stats,
        rotations,
        diskBytes: stats.sealedBytes + stats.activeBytes,
        descriptorLimit: DESCRIPTOR_LIMIT,
      };
    },
  };
};

export default open;

/** The generation to go on with. Removes what a killed compaction left: its copy, or the generation it had replaced. */
function takeLatestGeneration(root: string): number {
  const names = readdirSync(root);
  const latest = Math.max(0, ...names.map((name) => Number(GENERATION.exec(name)?.[1] ?? 0)));
  for (const name of names) {
    if (name.startsWith('generation-') && name !== nameOf(latest)) remove(root, name);
  }
  return Math.max(latest, 1);
}

function nameOf(generation: number): string {
  return `generation-${generation}`;
}

function remove(root: string, name: string): void {
  rmSync(join(root, name), { recursive: true, force: true });
}
