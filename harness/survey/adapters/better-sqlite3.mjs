import { join } from 'node:path';
import Sqlite from 'better-sqlite3';

export const contract = { put: 'power', history: 'prefix', ordered: true, concurrent: true };

export const volatileFiles = ['store.sqlite-shm'];

export default async function open(directory) {
  const database = new Sqlite(join(directory, 'store.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID',
  );
  const get = database.prepare('SELECT value FROM pairs WHERE key = ?');
  const put = database.prepare('INSERT OR REPLACE INTO pairs (key, value) VALUES (?, ?)');
  const remove = database.prepare('DELETE FROM pairs WHERE key = ?');
  const all = database.prepare('SELECT key, value FROM pairs ORDER BY key');
  return {
    get: (key) => get.get(key)?.value,
    put: (key, value) => put.run(key, value),
    delete: (key) => remove.run(key),
    *entries() {
      for (const { key, value } of all.all()) yield [key, value];
    },
    compact: () => database.exec('VACUUM'),
    close: () => database.close(),
  };
}
