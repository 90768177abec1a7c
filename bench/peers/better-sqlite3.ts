import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadPeer } from './installation.ts';
import type { Pair, Peer } from './peer.ts';

/** What is used of https://github.com/WiseLibs/better-sqlite3. */
interface BetterSqlite3Package {
  readonly default: new (path: string) => Database;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  pragma(text: string): unknown;
  transaction<T extends unknown[]>(run: (...parameters: T) => void): (...parameters: T) => void;
  close(): void;
}

interface Statement {
  run(...parameters: Uint8Array[]): unknown;
  get(...parameters: Uint8Array[]): { value: Buffer } | undefined;
  iterate(): Iterable<unknown>;
}

export async function betterSqlite3Peer(packages: string): Promise<Peer> {
  const { module, version } = await loadPeer<BetterSqlite3Package>(packages, 'better-sqlite3');
  return {
    name: 'better-sqlite3',
    version,
    settings: {
      append: 'WAL, synchronous = NORMAL: a commit is written, a checkpoint syncs',
      sync: 'WAL, synchronous = FULL: a commit is synced; one call at a time, so callers do not share it',
    },
    open(directory, guarantee) {
      mkdirSync(directory, { recursive: true });
      const database = new module.default(join(directory, 'store.sqlite'));
      database.pragma('journal_mode = WAL');
      database.pragma(`synchronous = ${guarantee === 'append' ? 'NORMAL' : 'FULL'}`);
      database.exec(
        'CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID',
      );
      const get = database.prepare('SELECT value FROM pairs WHERE key = ?');
      const put = database.prepare('INSERT OR REPLACE INTO pairs (key, value) VALUES (?, ?)');
      const all = database.prepare('SELECT key, value FROM pairs');
      return {
        get: (key) => get.get(key)?.value,
        put: (key, value) => put.run(key, value),
        batch: database.transaction((pairs: readonly Pair[]) => {
          for (const [key, value] of pairs) put.run(key, value);
        }),
        scan() {
          let count = 0;
          for (const _ of all.iterate()) count++;
          return count;
        },
        close: () => database.close(),
      };
    },
  };
}
