import { join } from 'node:path';
import Datastore from '@seald-io/nedb';
import { toBytes, toText } from './text.mjs';

export const contract = { put: 'kill', sync: 'power', history: 'per-key', concurrent: true };

export default async function open(directory) {
  const database = new Datastore({
    filename: join(directory, 'store.db'),
    // Otherwise it refuses to open when one line in ten is torn.
    corruptAlertThreshold: 1,
  });
  await database.loadDatabaseAsync();
  return {
    async get(key) {
      const found = await database.findOneAsync({ _id: toText(key) });
      return found === null ? undefined : toBytes(found.value);
    },
    put: (key, value) =>
      database.updateAsync(
        { _id: toText(key) },
        { _id: toText(key), value: toText(value) },
        { upsert: true },
      ),
    delete: (key) => database.removeAsync({ _id: toText(key) }, {}),
    // A compaction is what its documentation says is flushed.
    sync: () => database.compactDatafileAsync(),
    async *entries() {
      for (const { _id, value } of await database.findAsync({}))
        yield [toBytes(_id), toBytes(value)];
    },
    close: () => database.compactDatafileAsync(),
  };
}
