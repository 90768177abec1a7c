import { join } from 'node:path';
import type { DeclaredContract } from '../contract.ts';
import { installedPackage } from '../installed-package.ts';
import type { StoreUnderTest } from '../store-under-test.ts';

/** What is used of https://github.com/kriszyp/lmdb-js. */
interface LmdbPackage {
  open(options: object): Database;
}

interface Database {
  getBinary(key: Buffer): Buffer | undefined;
  put(key: Buffer, value: Buffer): Promise<boolean>;
  remove(key: Buffer): Promise<boolean>;
  getRange(options?: object): Iterable<{ key: Buffer; value: Buffer }>;
  readonly flushed: Promise<unknown>;
  close(): Promise<void>;
}

/** The longest key of LMDB as that package builds it. */
const MAX_KEY_BYTES = 1978;

export const contract: DeclaredContract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: true,
  concurrent: true,
};

export default async function open(directory: string): Promise<StoreUnderTest> {
  const { open: openDatabase } = await installedPackage<LmdbPackage>('lmdb');
  const database = openDatabase({
    path: join(directory, 'data.mdb'),
    keyEncoding: 'binary',
    encoding: 'binary',
  });
  return {
    get: (key) => database.getBinary(asBuffer(key)),
    async put(key, value) {
      if (key.length === 0 || key.length > MAX_KEY_BYTES)
        throw new RangeError(`LMDB takes keys of 1 to ${MAX_KEY_BYTES} bytes`);
      // Settles when the write is committed, which is when another process sees it.
      await database.put(asBuffer(key), asBuffer(value));
    },
    delete: (key) => database.remove(asBuffer(key)),
    // A commit may return before its pages are synced; `flushed` settles when those of every
    // earlier commit are.
    sync: () => database.flushed,
    *entries() {
      for (const { key, value } of database.getRange({ snapshot: false })) yield [key, value];
    },
    close: () => database.close(),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
