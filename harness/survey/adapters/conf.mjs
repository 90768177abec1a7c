import Conf from 'conf';
import { toBytes, toText } from './text.mjs';

export const contract = { put: 'kill', history: 'prefix', concurrent: true };

export default async function open(directory) {
  const store = new Conf({
    cwd: directory,
    configName: 'store',
    projectName: 'survey',
    accessPropertiesByDotNotation: false,
  });
  return {
    get(key) {
      const found = store.get(toText(key));
      return found === undefined ? undefined : toBytes(found);
    },
    put: (key, value) => store.set(toText(key), toText(value)),
    delete: (key) => store.delete(toText(key)),
    *entries() {
      for (const [key, value] of store)
        if (key.startsWith('b')) yield [toBytes(key), toBytes(value)];
    },
    close() {},
  };
}
