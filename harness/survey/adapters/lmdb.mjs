import { join } from 'node:path';
import { open as openDatabase } from 'lmdb';

export const contract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: true,
  concurrent: true,
};

export const volatileFiles = ['data.mdb-lock'];

export default async function open(directory) {
  const database = openDatabase({
    path: join(directory, 'data.mdb'),
    keyEncoding: 'binary',
    encoding: 'binary',
    // Otherwise it trusts what was not flushed as long as the machine has not started again.
    safeRestore: true,
  });
  return {
    get: (key) => database.getBinary(Buffer.from(key)),
    async put(key, value) {
      if (key.length === 0) throw new RangeError('LMDB takes no empty key');
      await database.put(Buffer.from(key), Buffer.from(value));
    },
    delete: (key) => database.remove(Buffer.from(key)),
    sync: () => database.flushed,
    *entries() {
      for (const { key, value } of database.getRange()) yield [key, value];
    },
    close: () => database.close(),
  };
}
