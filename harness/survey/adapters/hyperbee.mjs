import Hyperbee from 'hyperbee';
import Hypercore from 'hypercore';

export const contract = { put: 'kill', history: 'prefix', ordered: true, concurrent: true };

export default async function open(directory) {
  const core = new Hypercore(directory);
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
