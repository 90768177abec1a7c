import { writeSync } from 'node:fs';
import { loadAdapter, type StoreUnderTest } from '../../store-under-test.ts';
import { cutSteps, cutValues } from './record-steps.ts';
import type { RecordTask } from './record-store.ts';

/**
 * The recorded process: `record-child.js TASK`. Every mark is one write to the standard output, in
 * the stream of system calls, so that its place among them is the kernel's.
 */
const STANDARD_OUTPUT = 1;
const mark = (text: string) => writeSync(STANDARD_OUTPUT, `${text}\n`);

const task = JSON.parse(process.argv[2] as string) as RecordTask;
const { adapter, directory, seed, stepCount, only, shape } = task;
const values = cutValues(seed, shape);
let doing = 'open';
try {
  const open = await loadAdapter(adapter);
  mark('opening');
  let store: StoreUnderTest = await open(directory);
  mark('opened');
  for (const { number, step } of cutSteps(seed, stepCount, shape)) {
    if (only !== undefined && !only.includes(number)) continue;
    doing = `step ${number} (${step.kind})`;
    mark(`begin ${number}`);
    switch (step.kind) {
      case 'write':
        await Promise.all(
          step.writes.map(async ({ key, version }) => {
            if (version === 0) await store.delete(values.keyOf(key));
            else await store.put(values.keyOf(key), values.valueOf(key, version));
          }),
        );
        break;
      case 'sync':
        await store.sync?.();
        break;
      case 'compact':
        await store.compact?.();
        break;
      case 'reopen':
        await store.close();
        store = await open(directory);
    }
    mark(`end ${number}`);
  }
  doing = 'close';
  await store.close();
  mark('closed');
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  mark(`failed ${JSON.stringify(`${doing} failed: ${message}`)}`);
}
// A store may hold timers or threads that keep a process alive.
process.exit();
