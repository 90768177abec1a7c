// An event log with one writer and a follower, which reads what is there and then what comes,
// without the writer's lock. It may as well be another process: only the directory is shared.
//
// Stands on: follow, which gives every record once and in order, or fails with SNAPSHOT_GONE and
// says which it could not give. What the writer has not synced may still go with the power.
//
//     node examples/event-log-follower.mjs [DIRECTORY]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openReader, openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'events-'));
const EVENTS = 5;

const log = await openStore(directory);
log.put('event/0', 'the log begins');

async function follow() {
  const reader = await openReader(directory);
  const stop = new AbortController();
  let count = 0;
  try {
    for await (const { txid, key, payload } of reader.follow({
      fromTxid: 1,
      signal: stop.signal,
    })) {
      console.log(`#${txid} ${Buffer.from(key)}: ${Buffer.from(payload)}`);
      if (++count === EVENTS) break;
    }
  } finally {
    stop.abort();
    await reader.close();
  }
}

async function write() {
  for (let number = 1; number < EVENTS; number++) {
    await delay(20);
    log.put(`event/${number}`, `something happened, number ${number}`);
  }
}

await Promise.all([follow(), write()]);
await log.close();
