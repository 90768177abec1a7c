import Hyperbee from 'hyperbee';
import Hypercore from 'hypercore';
import Storage from 'hypercore-storage';

export const contract = { put: 'kill', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  // Otherwise it refuses files that were copied, which images are.
  const core = new Hypercore(new Storage(directory, { allowBackup: true }));
  const tree = new Hyperbee(core, { keyEncoding: 'binary', valueEncoding: 'binary' });
  await tree.ready();
  return {
    async get(key) {
      return (await tree.get(Buffer.from(key)))?.value;
    },
    put: (key, value) => tree.put(Buffer.from(key), Buffer.from(value)),
    delete: (key) => tree.del(Buffer.from(key)),
    async *entries() {
      for await (const { key, value } of tree.createReadStream()) yield [key, value];
    },
    close: () => tree.close(),
  };
}
