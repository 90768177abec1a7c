import { promisify } from 'node:util';
import leveldown from 'leveldown';

export const contract = { put: 'power', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  const database = leveldown(directory);
  const call = (name) => promisify(database[name].bind(database));
  const [begin, get, put, del, close] = ['open', 'get', 'put', 'del', 'close'].map(call);
  await begin({ createIfMissing: true });
  return {
    async get(key) {
      try {
        return await get(Buffer.from(key));
      } catch (error) {
        if (/NotFound/i.test(error.message)) return undefined;
        throw error;
      }
    },
    put: (key, value) => put(Buffer.from(key), Buffer.from(value), { sync: true }),
    delete: (key) => del(Buffer.from(key), { sync: true }),
    async *entries() {
      const iterator = database.iterator();
      try {
        for (;;) {
          const pair = await new Promise((resolve, reject) =>
            iterator.next((error, key, value) =>
              error ? reject(error) : resolve(key === undefined ? undefined : [key, value]),
            ),
          );
          if (pair === undefined) return;
          yield pair;
        }
      } finally {
        await new Promise((resolve) => iterator.end(resolve));
      }
    },
    close: () => close(),
  };
}
