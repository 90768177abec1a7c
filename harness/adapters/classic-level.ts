import { randomBytes } from 'node:crypto';
import type { DeclaredContract } from '../contract.ts';
import { installedPackage } from '../installed-package.ts';
import type { StoreUnderTest } from '../store-under-test.ts';

/** What is used of https://github.com/Level/classic-level. */
interface ClassicLevelPackage {
  readonly ClassicLevel: new (directory: string, options: object) => Database;
}

interface Database {
  open(): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  del(key: Uint8Array, options?: { sync: boolean }): Promise<void>;
  iterator(): AsyncIterable<[Uint8Array, Uint8Array]>;
  compactRange(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** No key of a harness is as long and begins like it. */
const AFTER_ALL_KEYS = Buffer.alloc(64, 0xff);

export const contract: DeclaredContract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: true,
  concurrent: true,
};

export default async function open(directory: string): Promise<StoreUnderTest> {
  const { ClassicLevel } = await installedPackage<ClassicLevelPackage>('classic-level');
  const database = new ClassicLevel(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  const nobodysKey = randomBytes(32);
  return {
    get: (key) => database.get(key),
    put: (key, value) => database.put(key, value),
    delete: (key) => database.del(key),
    // LevelDB has no sync of its own: a write with `sync` syncs the log that it goes to, with all
    // that was written to it before. (What stands in an older log, whose table is still being
    // written, has to wait for that table's sync.)
    sync: () => database.del(nobodysKey, { sync: true }),
    entries: () => database.iterator(),
    compact: () => database.compactRange(Buffer.alloc(0), AFTER_ALL_KEYS),
    close: () => database.close(),
  };
}
