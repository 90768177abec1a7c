import { join } from 'node:path';
import type { DeclaredContract } from '../contract.ts';
import { installedPackage } from '../installed-package.ts';
import type { StoreUnderTest } from '../store-under-test.ts';

/** What is used of https://github.com/WiseLibs/better-sqlite3. */
interface BetterSqlite3Package {
  readonly default: new (path: string) => Database;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  pragma(text: string): unknown;
  close(): void;
}

interface Statement {
  run(...parameters: Uint8Array[]): unknown;
  get(...parameters: Uint8Array[]): Row | undefined;
  all(...parameters: (Uint8Array | number)[]): Row[];
}

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

const ROWS_PER_PAGE = 256;

export const contract: DeclaredContract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: true,
};

export default async function open(directory: string): Promise<StoreUnderTest> {
  const { default: Sqlite } = await installedPackage<BetterSqlite3Package>('better-sqlite3');
  const database = new Sqlite(join(directory, 'store.sqlite'));
  database.pragma('journal_mode = WAL');
  // A commit survives the death of the process; only a checkpoint syncs. That is `put` and `sync`
  // of the interface.
  database.pragma('synchronous = NORMAL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID',
  );
  const get = database.prepare('SELECT key, value FROM pairs WHERE key = ?');
  const put = database.prepare('INSERT OR REPLACE INTO pairs (key, value) VALUES (?, ?)');
  const remove = database.prepare('DELETE FROM pairs WHERE key = ?');
  const first = database.prepare('SELECT key, value FROM pairs ORDER BY key LIMIT ?');
  const next = database.prepare('SELECT key, value FROM pairs WHERE key > ? ORDER BY key LIMIT ?');
  return {
    get: (key) => get.get(key)?.value,
    put: (key, value) => put.run(key, value),
    delete: (key) => remove.run(key),
    // Syncs the write-ahead log, copies it into the database, and syncs that.
    sync: () => database.pragma('wal_checkpoint(FULL)'),
    // In pages, because a connection that is in the middle of one statement refuses every other.
    *entries() {
      for (let page = first.all(ROWS_PER_PAGE); ; ) {
        for (const { key, value } of page) yield [key, value];
        const last = page.at(-1);
        if (last === undefined || page.length < ROWS_PER_PAGE) return;
        page = next.all(last.key, ROWS_PER_PAGE);
      }
    },
    compact: () => database.exec('VACUUM'),
    close: () => database.close(),
  };
}
