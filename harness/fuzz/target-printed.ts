import {
  openReader,
  openStore,
  printableText,
  type Store,
  StoreError,
  salvage,
} from '../../src/engine/index.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import { printableLines } from '../standard-streams.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, Mishandled } from './fuzz-target.ts';
import { HOSTILE_TEXTS, heldBy, UNPRINTED } from './hostile-text.ts';

/**
 * Text of strangers in everything that the engine says: a path, a name in a directory, the host in
 * a lock. Messages and notes hold nothing that a terminal obeys, and a line stays one line.
 */
export const printedTarget: FuzzTarget = {
  name: 'printed',
  weight: 2,
  make(prng) {
    const text = () => {
      const [one, other] = [pick(prng, HOSTILE_TEXTS), pick(prng, HOSTILE_TEXTS)];
      return prng.below(2) === 0
        ? Buffer.from(one)
        : mutateBytes(prng, Buffer.from(one), Buffer.from(other));
    };
    return new Map([
      ['path', text()],
      ['host', text()],
      ['name', text()],
    ]);
  },
  async check(input) {
    const part = (name: string) =>
      Buffer.from(input.get(name) ?? [])
        .toString('utf8')
        .replace(/[/\0]/g, '') || 'x';
    const directory = `/${part('path')}`;
    const fileSystem = new MemoryFileSystem();
    for (const text of [part('path'), part('host'), part('name')]) checkText(text);
    const store = await openStore(directory, { fileSystem });
    store.put('key', 'value');
    fileSystem.mutate(`${store.directory}/.lock`, (bytes) => heldBy(bytes, part('host')));
    await refused(() => openStore(directory, { fileSystem }));
    await useHostilePlaces(store, `/${part('name')}/${part('name')}`);
    await store.close();
    await refused(() => openReader(`${directory}/${part('name')}`, { fileSystem }));
    await refused(() => salvage(`/none/${part('name')}`, '/rescued', { fileSystem }));
    fileSystem.mutate(`${store.directory}/00000001.dwal`, (bytes) =>
      Buffer.concat([bytes, Buffer.from('torn')]),
    );
    const again = await openStore(directory, { fileSystem });
    for (const note of again.recoveryReport.notes) isPrinted(note);
    await again.close();
  },
};

async function useHostilePlaces(store: Store, path: string): Promise<void> {
  await refused(() => store.importJsonl(path));
  await refused(() => store.exportJsonl(store.directory));
  await refused(() => store.compactTo(store.directory));
  await refused(() => store.backup(store.directory));
}

async function refused(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    isPrinted(error.message);
    return;
  }
  throw new Mishandled('what cannot be done was done');
}

function checkText(text: string): void {
  isPrinted(printableText(text));
  const lines = printableLines(`${text}\n${text}`);
  if (UNPRINTED.test(lines)) throw new Mishandled(`printed as it is: ${JSON.stringify(lines)}`);
}

function isPrinted(text: string): void {
  if (UNPRINTED.test(text) || /[\n\t]/.test(text))
    throw new Mishandled(`printed as it is: ${JSON.stringify(text)}`);
}
