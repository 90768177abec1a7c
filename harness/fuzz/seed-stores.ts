import { join } from 'node:path';
import { openStore } from '../../src/engine/index.ts';
import { committedCorpus, readManifest } from '../corpus/corpus.ts';
import type { FixtureFiles } from '../corpus/fixture.ts';
import { readFixture } from '../corpus/fixture-files.ts';
import { LogImage, putsInSegments } from '../corpus/log-image.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';

/**
 * The directories that are mutated: every fixture of the corpus, and stores with seals and merges,
 * which it has few of.
 */
export async function seedStores(): Promise<readonly FixtureFiles[]> {
  const corpus = committedCorpus();
  const names = Object.keys((await readManifest(corpus)).fixtures);
  const fixtures = await Promise.all(names.map((name) => readFixture(join(corpus, name))));
  const sealed = await (await putsInSegments(2, 3, 2, 2)).sealed();
  const witnessed = sealed.witnessedMark({ segmentId: 4, offset: 64, nextTxid: 10, clean: true });
  const merged = await mergedStore();
  return [...fixtures, witnessed.files, merged, interruptedMerge(merged)];
}

/** Segments that a merge left, and a tail; sealed anew, so that it is the same in every process. */
async function mergedStore(): Promise<FixtureFiles> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem });
  for (let index = 0; index < 24; index++) {
    if (index % 5 === 4) store.delete(`key-${index % 3}`);
    else store.put(`key-${index % 7}`, `value ${index}`);
    if (index % 6 === 5) store.rotate();
    if (index === 17) await store.compact();
  }
  await store.close();
  const files = fileSystem
    .list('/store')
    .map((name) => [name, fileSystem.readFile(`/store/${name}`)] as const);
  return (await new LogImage(new Map(files)).sealed()).files;
}

/** The seal of a merge's output still under the name that it has until the output is in place. */
function interruptedMerge(files: FixtureFiles): FixtureFiles {
  const last = [...files.keys()].findLast((name) => name.endsWith('.seal'));
  return new Map(
    [...files].map(([name, bytes]) => [
      name === last ? name.replace('.seal', '.merge') : name,
      bytes,
    ]),
  );
}
