import storage from 'node-persist';
import { toBytes, toText } from './text.mjs';

export const contract = { put: 'kill', history: 'per-key', concurrent: true };

export default async function open(directory) {
  const store = storage.create({ dir: directory });
  await store.init();
  return {
    async get(key) {
      const found = await store.getItem(toText(key));
      return found === undefined ? undefined : toBytes(found);
    },
    put: (key, value) => store.setItem(toText(key), toText(value)),
    delete: (key) => store.removeItem(toText(key)),
    async *entries() {
      for (const key of await store.keys()) {
        const value = await store.getItem(key);
        if (value !== undefined) yield [toBytes(key), toBytes(value)];
      }
    },
    close: () => store.stopWriteQueueInterval?.(),
  };
}
