import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadPeer } from './installation.ts';
import type { Peer } from './peer.ts';

/** What is used of https://github.com/kriszyp/lmdb-js. */
interface LmdbPackage {
  open(options: object): {
    getBinary(key: Buffer): Buffer | undefined;
    put(key: Buffer, value: Buffer): Promise<boolean>;
    putSync(key: Buffer, value: Buffer): boolean;
    transactionSync<T>(run: () => T): T;
    getRange(): Iterable<{ key: Buffer; value: Buffer }>;
    readonly flushed: Promise<unknown>;
    close(): Promise<void>;
  };
}

export async function lmdbPeer(packages: string): Promise<Peer> {
  const { module, version } = await loadPeer<LmdbPackage>(packages, 'lmdb');
  return {
    name: 'lmdb',
    version,
    settings: {
      append: 'noSync: commits are written, not synced; putSync commits each put',
      sync: 'defaults (overlappingSync); put, then flushed',
    },
    open(directory, guarantee) {
      mkdirSync(directory, { recursive: true });
      const database = module.open({
        path: join(directory, 'data.mdb'),
        keyEncoding: 'binary',
        encoding: 'binary',
        ...(guarantee === 'append' ? { noSync: true, overlappingSync: false } : {}),
      });
      const flush = async (committed: Promise<unknown>) => {
        await committed;
        await database.flushed;
      };
      return {
        get: (key) => database.getBinary(key),
        put:
          guarantee === 'append'
            ? (key, value) => database.putSync(key, value)
            : (key, value) => flush(database.put(key, value)),
        batch(pairs) {
          database.transactionSync(() => {
            for (const [key, value] of pairs) database.put(key, value);
          });
          return guarantee === 'append' ? undefined : database.flushed;
        },
        scan() {
          let count = 0;
          for (const _ of database.getRange()) count++;
          return count;
        },
        close: () => database.close(),
      };
    },
  };
}
