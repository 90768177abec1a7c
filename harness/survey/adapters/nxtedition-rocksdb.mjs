import { RocksLevel } from '@nxtedition/rocksdb';

export const contract = { put: 'power', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  const database = new RocksLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await database.open();
  return {
    async get(key) {
      try {
        return await database.get(Buffer.from(key));
      } catch (error) {
        if (error.code === 'LEVEL_NOT_FOUND') return undefined;
        throw error;
      }
    },
    put: (key, value) => database.put(Buffer.from(key), Buffer.from(value), { sync: true }),
    delete: (key) => database.del(Buffer.from(key), { sync: true }),
    entries: () => database.iterator(),
    close: () => database.close(),
  };
}
