import cacache from 'cacache';
import { toBytes, toText } from './text.mjs';

export const contract = { put: 'kill', history: 'per-key', concurrent: true };

export default async function open(directory) {
  return {
    async get(key) {
      try {
        return toBytes((await cacache.get(directory, toText(key))).data.toString());
      } catch (error) {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    put: (key, value) => cacache.put(directory, toText(key), toText(value)),
    delete: (key) => cacache.rm.entry(directory, toText(key)),
    async *entries() {
      for (const key of Object.keys(await cacache.ls(directory))) {
        try {
          yield [toBytes(key), toBytes((await cacache.get(directory, key)).data.toString())];
        } catch (error) {
          // It was removed while the listing went on.
          if (error.code !== 'ENOENT') throw error;
        }
      }
    },
    compact: () => cacache.verify(directory),
    close() {},
  };
}
