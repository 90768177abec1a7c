import { loadPeer } from './installation.ts';
import type { Pair, Peer } from './peer.ts';

/** What is used of https://github.com/Level/classic-level. */
interface ClassicLevelPackage {
  readonly ClassicLevel: new (
    directory: string,
    options: object,
  ) => {
    open(): Promise<void>;
    getSync(key: Uint8Array): Uint8Array | undefined;
    put(key: Uint8Array, value: Uint8Array, options: { sync: boolean }): Promise<void>;
    batch(operations: readonly object[], options: { sync: boolean }): Promise<void>;
    iterator(): { nextv(size: number): Promise<Pair[]>; close(): Promise<void> };
    close(): Promise<void>;
  };
}

const PAIRS_PER_CALL = 1000;

export async function classicLevelPeer(packages: string): Promise<Peer> {
  const { module, version } = await loadPeer<ClassicLevelPackage>(packages, 'classic-level');
  return {
    name: 'classic-level',
    version,
    settings: { append: 'put with sync: false', sync: 'put with sync: true' },
    async open(directory, guarantee) {
      const database = new module.ClassicLevel(directory, {
        keyEncoding: 'view',
        valueEncoding: 'view',
      });
      await database.open();
      const options = { sync: guarantee === 'sync' };
      return {
        get: (key) => database.getSync(key),
        put: (key, value) => database.put(key, value, options),
        batch: (pairs) =>
          database.batch(
            pairs.map(([key, value]) => ({ type: 'put', key, value })),
            options,
          ),
        async scan() {
          const iterator = database.iterator();
          let count = 0;
          for (let pairs = await iterator.nextv(PAIRS_PER_CALL); pairs.length > 0; ) {
            count += pairs.length;
            pairs = await iterator.nextv(PAIRS_PER_CALL);
          }
          await iterator.close();
          return count;
        },
        close: () => database.close(),
      };
    },
  };
}
