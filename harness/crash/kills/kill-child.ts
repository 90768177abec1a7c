import { mkdirSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openStore, type Store } from '../../../src/engine/index.ts';
import { storeDescriptors } from './kill-descriptors.ts';
import { dyingFileSystem, KillPoint } from './kill-point.ts';
import {
  KILL_SEGMENT_BYTES,
  KillHistory,
  killSteps,
  OUTPUTS_DIRECTORY,
  operationsOf,
  parseNumbers,
  pickSteps,
  takeStep,
} from './kill-workload.ts';

/**
 * The process that gets killed: `kill-child.js DIRECTORY SEED ROUND LENGTH [DIE_AT_CHANGE
 * [BLOCK_AFTER_STEPS [ONLY_STEPS]]]` goes on with a store whose history has LENGTH operations,
 * until somebody ends it, or until it kills itself in its n-th change of the file system (0:
 * never). After so many steps it blocks its event loop for good. With ONLY_STEPS it takes those,
 * counts changes from where the last of them begins, and kills itself behind it. It writes a line
 * when it begins to open, when it has opened, and after each step: `KIND LENGTH`, the length of the
 * history by then. A line is written only once the step has returned, and in one blocking call, so
 * that whoever reads it knows: this much was acknowledged.
 */
const STANDARD_OUTPUT = 1;

const [directory, seed, round, firstLength, dieAtChange, blockAfterSteps, onlySteps] =
  process.argv.slice(2) as [string, string, string, string, string?, string?, string?];
const outputs = join(directory, OUTPUTS_DIRECTORY);
const only = parseNumbers(onlySteps);
const killPoint = new KillPoint();
const fileSystem = Number(dieAtChange ?? 0) > 0 ? dyingFileSystem(killPoint, tellDeath) : undefined;

function tell(line: string): void {
  // Ends this process with EPIPE when nobody reads any more.
  writeSync(STANDARD_OUTPUT, `${line}\n`);
  changesBefore = killPoint.changes;
}

function tellDeath(method: string): void {
  tell(`dying ${method} ${killPoint.changes - changesBefore}`);
}

function block(): void {
  tell(`blocked ${length}`);
  // A holder that no longer answers is still the holder.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

async function open(): Promise<Store> {
  const store = await openStore(directory, {
    segmentBytes: KILL_SEGMENT_BYTES,
    ...(fileSystem && { fileSystem }),
  });
  checkDescriptors(store.stats().openDescriptors, 'after opening');
  return store;
}

/** I10, seen from inside: what the kernel says is open below the store's directory. */
function checkDescriptors(expected: number, when: string): void {
  const open = storeDescriptors(resolve(directory));
  if (open === undefined) return;
  if (open.length !== expected || open.some((target) => target.endsWith(' (deleted)')))
    throw new Error(
      `I10: ${expected} descriptors are expected ${when}, and these are open: ${open.join(', ')}`,
    );
}

/** Changes of the disk until the last line was told. */
let changesBefore = 0;
let length = Number(firstLength);
if (only === undefined || only.length === 0) killPoint.dieIn(Number(dieAtChange ?? 0));
tell(`opening ${length}`);
let store = await open();
tell(`opened ${length}`);
mkdirSync(outputs, { recursive: true });
const history = new KillHistory();
let stepsLeft = Number(blockAfterSteps ?? Number.POSITIVE_INFINITY);
let taken = 0;
for (const step of pickSteps(killSteps(Number(seed), Number(round)), only)) {
  if (stepsLeft-- <= 0) block();
  if (++taken === only?.length) killPoint.dieIn(Number(dieAtChange ?? 0));
  if (step.kind === 'reopen') {
    await store.close();
    checkDescriptors(0, 'after closing');
    store = await open();
  } else {
    await takeStep(store, step, history, length, outputs);
  }
  length += operationsOf(step).length;
  tell(`${step.kind} ${length}`);
}
if (Number.isFinite(stepsLeft)) block();
process.kill(process.pid, 'SIGKILL');
