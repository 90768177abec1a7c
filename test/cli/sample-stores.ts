import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../src/engine/index.ts';

/** Every state that a command can meet. */
export interface SampleStores {
  /** Two sealed segments and an active one, closed in order. */
  readonly sound: string;
  /** A writer died in the middle of an append. */
  readonly torn: string;
  /** One byte of a durable value is another one. */
  readonly corrupt: string;
  /** A writer is at work: this process. */
  readonly locked: string;
  /** Its first segment has lost its seal file, and the seal of the second is damaged. */
  readonly unsealed: string;
  /** One byte of a sealed segment is another one, in its middle, which an opening does not read. */
  readonly rotten: string;
  /** More than any pipe holds. */
  readonly big: string;
  readonly missing: string;
  readonly empty: string;
  /** A new directory. */
  fresh(): string;
  copy(store: 'sound' | 'torn' | 'corrupt' | 'unsealed'): string;
  remove(): Promise<void>;
}

export const BINARY = Buffer.from([0, 1, 2, 0xff]);
export const LONG = 'long '.repeat(100);

export async function sampleStores(): Promise<SampleStores> {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  const path = (name: string) => join(root, name);
  const fresh = () => mkdtempSync(path('copy-'));
  await (await filled(path('sound'))).close();
  const live = await filled(path('locked'));
  cpSync(path('locked'), path('torn'), { recursive: true });
  const last = join(path('torn'), '00000003.dwal');
  truncateSync(last, readFileSync(last).length - 3);
  for (const name of ['corrupt', 'unsealed', 'rotten'])
    cpSync(path('sound'), path(name), { recursive: true });
  flip(join(path('corrupt'), '00000003.dwal'), 30);
  flip(join(path('rotten'), '00000001.dwal'), 300);
  rmSync(join(path('unsealed'), '00000001.seal'));
  flip(join(path('unsealed'), '00000002.seal'), 50);
  mkdirSync(path('empty'));
  await fillBig(path('big'));
  return {
    sound: path('sound'),
    torn: path('torn'),
    corrupt: path('corrupt'),
    locked: path('locked'),
    unsealed: path('unsealed'),
    rotten: path('rotten'),
    big: path('big'),
    missing: path('missing'),
    empty: path('empty'),
    fresh,
    copy: (store) => {
      const target = join(fresh(), 'store');
      cpSync(path(store), target, { recursive: true });
      return target;
    },
    remove: async () => {
      await live.close();
      rmSync(root, { recursive: true });
    },
  };
}

async function filled(directory: string): Promise<Store> {
  const store = await openStore(directory);
  store.put('text', 'value');
  store.put('gone', LONG);
  store.rotate();
  store.put(BINARY, BINARY);
  store.delete('gone');
  store.rotate();
  await store.putDurable('text', 'newer');
  await store.sealsWritten();
  store.put('Reykjavík', LONG);
  return store;
}

async function fillBig(directory: string): Promise<void> {
  const store = await openStore(directory);
  store.batch(
    Array.from({ length: 20_000 }, (_, index) => ({
      type: 'put',
      key: `key-${index}`,
      value: LONG,
    })),
  );
  await store.close();
}

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** What lies in a directory, to see that a command changed nothing. */
export function contents(directory: string): Record<string, string> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ name }) => [name, readFileSync(join(directory, name), 'base64')]),
  );
}
