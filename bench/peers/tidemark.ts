import { describeVersions } from '../../harness/soak/result/host.ts';
import { openStore } from '../../src/engine/index.ts';
import type { Peer } from './peer.ts';

export function tidemarkPeer(): Peer {
  return {
    name: 'tidemark',
    version: describeVersions().tidemark,
    settings: { append: 'put: one write call', sync: 'putDurable: append and fdatasync' },
    async open(directory, guarantee) {
      const store = await openStore(directory);
      return {
        get: (key) => store.get(key),
        put: guarantee === 'append' ? (k, v) => store.put(k, v) : (k, v) => store.putDurable(k, v),
        batch(pairs) {
          store.batch(pairs.map(([key, value]) => ({ type: 'put', key, value })));
          return guarantee === 'append' ? undefined : store.sync();
        },
        scan() {
          let count = 0;
          for (const _ of store.entries()) count++;
          return count;
        },
        close: () => store.close(),
      };
    },
  };
}
