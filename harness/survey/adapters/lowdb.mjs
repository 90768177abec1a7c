import { join } from 'node:path';
import { JSONFilePreset } from 'lowdb/node';
import { toBytes, toText } from './text.mjs';

export const contract = { put: 'kill', history: 'prefix', concurrent: true };

export default async function open(directory) {
  const database = await JSONFilePreset(join(directory, 'store.json'), { pairs: {} });
  return {
    get(key) {
      const found = database.data.pairs[toText(key)];
      return found === undefined ? undefined : toBytes(found);
    },
    put: (key, value) =>
      database.update(({ pairs }) => {
        pairs[toText(key)] = toText(value);
      }),
    delete: (key) =>
      database.update(({ pairs }) => {
        delete pairs[toText(key)];
      }),
    *entries() {
      for (const [key, value] of Object.entries(database.data.pairs))
        yield [toBytes(key), toBytes(value)];
    },
    close: () => database.write(),
  };
}
