// A consumer of a queue that can be killed at any moment and goes on where it was: each job's
// result and the position behind it are written together, and one sync makes both durable before
// the queue is told that the job is done.
//
// Stands on: the longest valid prefix: of a batch a crash leaves all, or a first part.
//
//     node examples/queue-checkpoints.mjs [DIRECTORY]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'queue-'));
const jobs = Array.from({ length: 20 }, (_, index) => ({ id: index, text: `job ${index}` }));
const JOBS_A_SYNC = 5;

async function consume(untilJob) {
  const store = await openStore(directory);
  const first = position(store);
  for (let next = first; next < untilJob; next++) {
    const result = jobs[next].text.toUpperCase();
    // In this order: after a crash all of a batch is there or a prefix, so a position is never
    // ahead of its result.
    store.batch([
      { type: 'put', key: `result/${next}`, value: result },
      { type: 'put', key: 'position', value: String(next + 1) },
    ]);
    if ((next + 1) % JOBS_A_SYNC === 0) await store.sync();
  }
  await store.sync();
  console.log(`jobs ${first} to ${position(store) - 1} done, ${store.size - 1} results kept`);
  await store.close();
}

function position(store) {
  return Number(Buffer.from(store.get('position') ?? '0').toString());
}

await consume(12);
await consume(jobs.length);
