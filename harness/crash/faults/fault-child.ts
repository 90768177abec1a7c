import { mkdirSync, readSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import { storeDescriptors } from '../kills/kill-descriptors.ts';
import {
  KILL_KEYS,
  KILL_SEGMENT_BYTES,
  KillHistory,
  killSteps,
  OUTPUTS_DIRECTORY,
  operationsOf,
  takeStep,
} from '../kills/kill-workload.ts';

/**
 * A process whose system calls fail. `fault-child.js run DIRECTORY SEED` writes a line before it
 * opens the store, one when it has, waits for a line of its input, takes steps and writes a line
 * after each, as kill-child does. The first error ends it, in order: `failed CODE DURING`, then
 * `closed CODE`. `fault-child.js list DIRECTORY` opens the store and tells which operation wrote
 * each live value.
 */
const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const STEPS = 150;

const [mode, directory, seed] = process.argv.slice(2) as ['run' | 'list', string, string];
const options = { segmentBytes: KILL_SEGMENT_BYTES };

function tell(line: string): void {
  writeSync(STANDARD_OUTPUT, `${line}\n`);
}

// A merge that runs beside the steps may meet the fault, and nobody waits for it. Anything untyped
// ends the process.
process.on('unhandledRejection', codeOf);

/** The code of a typed error; throws any other. */
function codeOf(error: unknown): string {
  if (error instanceof StoreError) return error.code;
  throw error;
}

async function run(): Promise<void> {
  let during = 'open';
  let store: Store | undefined;
  tell('opening 0');
  try {
    store = await openStore(directory, options);
    mkdirSync(join(directory, OUTPUTS_DIRECTORY), { recursive: true });
    tell('opened 0');
    readSync(STANDARD_INPUT, Buffer.alloc(1));
    const history = new KillHistory();
    let length = 0;
    let stepsLeft = STEPS;
    for (const step of killSteps(Number(seed), 0)) {
      if (stepsLeft-- === 0) break;
      during = step.kind;
      if (step.kind === 'reopen') {
        const closing: Store = store;
        store = undefined;
        await closing.close();
        store = await openStore(directory, options);
      } else {
        await takeStep(store, step, history, length, join(directory, OUTPUTS_DIRECTORY));
        // Reads need descriptors of their own.
        for (let key = 0; key < KILL_KEYS; key++) store.get(history.keyName(key));
      }
      length += operationsOf(step).length;
      tell(`${step.kind} ${length}`);
    }
  } catch (error) {
    tell(`failed ${codeOf(error)} ${during}`);
  }
  tell(`closed ${await close(store)}`);
}

async function close(store: Store | undefined): Promise<string> {
  let outcome = 'ok';
  try {
    await store?.close();
  } catch (error) {
    outcome = codeOf(error);
  }
  const open = storeDescriptors(resolve(directory)) ?? [];
  if (open.length > 0) throw new Error(`I10: still open after a close: ${open.join(', ')}`);
  return outcome;
}

async function list(): Promise<void> {
  const store = await openStore(directory, options);
  const history = new KillHistory();
  const found: string[] = [];
  for (const [key, value] of store.entries()) {
    const index = Number.parseInt(value.toString(), 10);
    const isWhole = value.toString() === history.valueOf(index);
    found.push(`${key}=${isWhole ? index : 'wrong'}`);
  }
  await store.close();
  tell(`listed ${found.join(' ')}`);
}

await (mode === 'run' ? run() : list());
