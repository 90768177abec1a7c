import { pathToFileURL } from 'node:url';

// The build that runs the survey, named by whoever starts it.
const { openStore } = await import(pathToFileURL(process.env.TIDEMARK_ENGINE).href);

export const contract = { put: 'kill', sync: 'power', history: 'prefix', concurrent: true };

export default async function open(directory) {
  const store = await openStore(directory);
  return {
    get: (key) => store.get(key),
    put: (key, value) => store.put(key, value),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    entries: () => store.entries(),
    compact: () => store.compact(),
    close: () => store.close(),
  };
}
