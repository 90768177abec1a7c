import { writeSync } from 'node:fs';
import { loadAdapter } from '../../adapters/load-adapter.ts';
import { adapterSteps } from './kill-adapter.ts';
import { KillHistory, operationsOf, parseNumbers, pickSteps } from './kill-workload.ts';

/**
 * Does for any store what kill-child does: `kill-adapter-child.js ADAPTER DIRECTORY SEED ROUND
 * LENGTH [ONLY_STEPS]`. It knows nothing of the store but the interface, and dies by its parent's
 * hand, or when it has taken the only steps.
 */
const STANDARD_OUTPUT = 1;

const [adapter, directory, seed, round, firstLength, onlySteps] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string?,
];

function tell(line: string): void {
  writeSync(STANDARD_OUTPUT, `${line}\n`);
}

const open = await loadAdapter(adapter);
let length = Number(firstLength);
tell(`opening ${length}`);
let store = await open(directory);
tell(`opened ${length}`);
const history = new KillHistory();
for (const step of pickSteps(adapterSteps(Number(seed), Number(round)), parseNumbers(onlySteps))) {
  if ('operation' in step) {
    const key = Buffer.from(history.keyName(step.operation.key));
    if (step.operation.kind === 'delete') await store.delete(key);
    else await store.put(key, Buffer.from(history.valueOf(length)));
  } else if (step.kind === 'sync') {
    await store.sync?.();
  } else {
    await store.close();
    store = await open(directory);
  }
  length += operationsOf(step).length;
  tell(`${step.kind} ${length}`);
}
process.kill(process.pid, 'SIGKILL');
