import { join } from 'node:path';
import { KeyvFile } from 'keyv-file';
import { toBytes, toText } from './text.mjs';

// Its documentation says that writes are batched, and promises nothing of a crash.
export const contract = { put: 'nothing', history: 'per-key', concurrent: true };

export default async function open(directory) {
  const store = new KeyvFile({ filename: join(directory, 'store.json'), writeDelay: 0 });
  let last = Promise.resolve();
  return {
    async get(key) {
      const found = await store.get(toText(key));
      return found === undefined || found === null ? undefined : toBytes(found);
    },
    put(key, value) {
      last = Promise.resolve(store.set(toText(key), toText(value)));
      return last;
    },
    delete(key) {
      last = Promise.resolve(store.delete(toText(key)));
      return last;
    },
    async *entries() {
      for (const key of [...(await store.keys())]) {
        const value = await store.get(key);
        if (value !== undefined && value !== null) yield [toBytes(key), toBytes(value)];
      }
    },
    close: () => last,
  };
}
