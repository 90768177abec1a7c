// What a crawler has seen: a digest of each address, and when. Losing the last few after a power
// cut only means that they are fetched twice, so that writes are synced once in a while and not one
// by one.
//
// Stands on: put, and a sync once in a while: what a power cut takes is only fetched twice.
//
//     node examples/crawler-dedupe.mjs [DIRECTORY]
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'crawler-'));
const PAGES_A_SYNC = 100;

/** A web of 500 pages, each with three links. */
function linksOf(address) {
  const page = Number(address.split('/').at(-1));
  return [page * 2 + 1, page * 3 + 1, page + 7].map(
    (next) => `https://example.invalid/page/${next % 500}`,
  );
}

const seen = await openStore(directory, { name: 'crawler' });
const queue = ['https://example.invalid/page/0'];
let fetched = 0;
let skipped = 0;
for (let address = queue.shift(); address !== undefined; address = queue.shift()) {
  const key = createHash('sha256').update(address).digest();
  // No disk is touched to know what was seen.
  if (seen.has(key)) {
    skipped++;
    continue;
  }
  queue.push(...linksOf(address));
  seen.put(key, new Date().toISOString());
  if (++fetched % PAGES_A_SYNC === 0) await seen.sync();
}
console.log(`${fetched} pages fetched, ${skipped} links skipped, ${seen.size} addresses seen`);
await seen.close();
