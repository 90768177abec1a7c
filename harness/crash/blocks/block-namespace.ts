import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { mix32 } from '../../prng.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import { type BlockEvent, runBlockDisk } from './block-run.ts';

/**
 * The process that mounts: `block-namespace.js DIRECTORY SEED SECONDS MOST_DISKS [STORE]`, in a
 * mount namespace of its own. Whatever it mounts is gone with it, and with that the loop devices,
 * however it ends. It writes a line of JSON an event, and ends in order when its input ends, which
 * is also what happens when its parent dies.
 */
const STANDARD_OUTPUT = 1;

const [directory, seed, seconds, mostDisks, storeText] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string?,
];
const store = storeText === undefined ? undefined : (JSON.parse(storeText) as StoreSubject);
const endMs = performance.now() + Number(seconds) * 1000;
const stop = new AbortController();
process.stdin.on('end', () => stop.abort());
process.stdin.resume();

for (let number = 0; number < Number(mostDisks); number++) {
  if (stop.signal.aborted || performance.now() >= endMs) break;
  const diskSeed = mix32((Number(seed) + mix32(number)) >>> 0);
  const place = join(directory, `disk-${number}`);
  const events = runBlockDisk(place, join(directory, 'findings'), diskSeed, {
    signal: stop.signal,
    endMs,
    store,
  });
  for await (const event of events) tell(event);
}
process.stdin.destroy();

function tell(event: BlockEvent): void {
  writeSync(STANDARD_OUTPUT, `${JSON.stringify(event)}\n`);
}
