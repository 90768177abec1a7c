// A cache on disk with a limit on its size: the pairs that were used longest ago make room for new
// ones, and a restart finds it warm.
//
// Stands on: put. A cache may forget the last moments before a power cut, so that nothing waits for
// a sync; it never answers with a value that is damaged, because every get checks its checksum.
// Automatic compaction gives the room back.
//
//     node examples/bounded-cache.mjs [DIRECTORY]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'cache-'));

class BoundedCache {
  /** The bytes of each key's value, by last use: a Map keeps the order in which keys were set. */
  sizes = new Map();
  bytes = 0;

  static async open(path, limitBytes) {
    const cache = new BoundedCache();
    cache.limitBytes = limitBytes;
    cache.store = await openStore(path, { compaction: { auto: { deadRatio: 0.5 } } });
    for (const [key, value] of cache.store.entries()) cache.note(String(key), value.length);
    return cache;
  }

  get(key) {
    const value = this.store.get(key);
    if (value !== undefined) this.note(key, value.length);
    return value;
  }

  put(key, value) {
    this.store.put(key, value);
    this.note(key, value.length);
    for (const [oldest, size] of this.sizes) {
      if (this.bytes <= this.limitBytes) break;
      this.store.delete(oldest);
      this.sizes.delete(oldest);
      this.bytes -= size;
    }
  }

  note(key, size) {
    this.bytes += size - (this.sizes.get(key) ?? 0);
    this.sizes.delete(key);
    this.sizes.set(key, size);
  }

  close() {
    return this.store.close();
  }
}

const cache = await BoundedCache.open(directory, 100_000);
for (let page = 0; page < 300; page++) {
  cache.put(`page ${page}`, Buffer.alloc(1000, page));
  cache.get('page 0'); // used all the time, and therefore kept
}
await cache.close();

const warm = await BoundedCache.open(directory, 100_000);
console.log(`${warm.store.size} pages in ${warm.bytes} bytes`);
console.log(
  `page 0: ${warm.get('page 0')?.length ?? 'gone'}, page 1: ${warm.get('page 1')?.length ?? 'gone'}`,
);
await warm.close();
