import { join } from 'node:path';
import { Config, JsonDB } from 'node-json-db';
import { toBytes, toText } from './text.mjs';

// Saved at each push, and synced: the fifth argument asks for that.
export const contract = { put: 'power', history: 'prefix', concurrent: true };

export default async function open(directory) {
  const store = new JsonDB(new Config(join(directory, 'store'), true, false, '/', true));
  await store.load();
  const pathOf = (key) => `/pairs/${toText(key)}`;
  return {
    async get(key) {
      return (await store.exists(pathOf(key)))
        ? toBytes(await store.getData(pathOf(key)))
        : undefined;
    },
    put: (key, value) => store.push(pathOf(key), toText(value)),
    async delete(key) {
      if (await store.exists(pathOf(key))) await store.delete(pathOf(key));
    },
    async *entries() {
      if (!(await store.exists('/pairs'))) return;
      for (const [key, value] of Object.entries(await store.getData('/pairs')))
        yield [toBytes(key), toBytes(value)];
    },
    close: () => store.save(),
  };
}
