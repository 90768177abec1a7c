import { RocksLevel } from '@nxtedition/rocksdb';

export const contract = { put: 'power', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  const database = new RocksLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await database.open();
  return {
    get: (key) => database.get(Buffer.from(key)),
    put: (key, value) => database.put(Buffer.from(key), Buffer.from(value), { sync: true }),
    delete: (key) => database.del(Buffer.from(key), { sync: true }),
    entries: () => database.iterator(),
    close: () => database.close(),
  };
}
