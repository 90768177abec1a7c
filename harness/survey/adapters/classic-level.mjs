import { ClassicLevel } from 'classic-level';

export const contract = { put: 'power', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  const database = new ClassicLevel(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  return {
    get: (key) => database.get(key),
    put: (key, value) => database.put(key, value, { sync: true }),
    delete: (key) => database.del(key, { sync: true }),
    entries: () => database.iterator(),
    compact: () => database.compactRange(Buffer.alloc(0), Buffer.alloc(64, 0xff)),
    close: () => database.close(),
  };
}
