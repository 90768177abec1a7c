import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  openReader,
  openStore,
  type Store,
  StoreError,
  type StoreReader,
} from '../../../src/engine/index.ts';
import { compiledProgram } from '../../package-root.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { KILL_KINDS } from './kill-plan.ts';
import { adoptState, type KillSubject, type LeftOutput, type LeftStore } from './kill-subject.ts';
import {
  KILL_SEGMENT_BYTES,
  KillHistory,
  killSteps,
  OUTPUTS_DIRECTORY,
  pickSteps,
} from './kill-workload.ts';

/** tidemark itself, with everything that it promises beyond the adapter interface. */
export function tidemarkSubject(): KillSubject {
  return {
    kinds: KILL_KINDS,
    program: compiledProgram('crash/kills/kill-child.js'),
    args(directory, { seed, round, length, only }, plan) {
      const dieAtChange = plan.kind === 'change' || plan.kind === 'recovery' ? plan.dieAtChange : 0;
      const blockAfterSteps = plan.kind === 'blocked' ? plan.steps : Number.POSITIVE_INFINITY;
      const numbers = [seed, round, length, dieAtChange, blockAfterSteps].map(String);
      return [directory, ...numbers, ...(only === undefined ? [] : [only.join()])];
    },
    steps: ({ seed, round, only }) => pickSteps(killSteps(seed, round), only),
    check: checkLeft,
    checkBlocked,
  };
}

async function checkLeft(directory: string, left: LeftStore, opens: boolean): Promise<number> {
  const { history, acknowledged } = left;
  if (!holdsSegments(directory)) {
    if (acknowledged > 0) throw new InvariantBroken('I2', 'the store is gone');
    return 0;
  }
  await checkAsReader(directory, left);
  if (!opens) return 0;
  const startMs = performance.now();
  const store = await openAfterKill(directory);
  const openMs = performance.now() - startMs;
  try {
    adoptState(store.entries(), history, history.length);
    checkTxids(store);
    store.put(history.keyName(0), history.valueOf(history.length));
    history.append({ key: 0, kind: 'put' });
  } finally {
    await store.close();
  }
  return openMs;
}

/**
 * A reader repairs nothing: what it says must be what every later recovery comes to, killed or not
 * (I6).
 */
export async function checkAsReader(directory: string, left: LeftStore): Promise<void> {
  const reader = await openReader(directory);
  try {
    adoptState(reader.entries(), left.history, left.acknowledged);
    checkTxids(reader);
  } finally {
    await reader.close();
  }
  await checkOutputs(directory, left);
}

export function holdsSegments(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.endsWith('.dwal'));
}

/** I11: a dead holder never blocks. */
async function openAfterKill(directory: string): Promise<Store> {
  try {
    return await openStore(directory, { segmentBytes: KILL_SEGMENT_BYTES });
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORE_LOCKED') throw error;
    throw new InvariantBroken('I11', `a dead holder blocks: ${error.message}`);
  }
}

/** I7. */
function checkTxids(view: Store | StoreReader): void {
  let last = 0;
  for (const { txid, ref } of view.scan()) {
    if (txid <= last) {
      throw new InvariantBroken(
        'I7',
        `txid ${txid} at ${ref.segmentId}:${ref.offset} follows ${last}`,
      );
    }
    last = txid;
  }
}

/** Whole or absent; afterwards they are removed, with what was left unfinished. */
async function checkOutputs(directory: string, { outputs }: LeftStore): Promise<void> {
  const place = join(directory, OUTPUTS_DIRECTORY);
  for (const output of outputs) {
    const path = join(place, output.name);
    const state = await outputState(path, output.kind);
    if (state === undefined) {
      if (output.isComplete)
        throw new InvariantBroken('outputs', `${path} was acknowledged, and is not there`);
    } else if (state !== output.state) {
      throw new InvariantBroken('outputs', `${path} holds ${state}, and not ${output.state}`);
    }
  }
  rmSync(place, { recursive: true, force: true });
}

async function outputState(path: string, kind: LeftOutput['kind']): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  if (kind === 'export') return OUTPUT_STATES.stateOf(exportedPairs(readFileSync(path, 'latin1')));
  const copy = await openReader(path);
  try {
    return OUTPUT_STATES.stateOf(copy.entries());
  } finally {
    await copy.close();
  }
}

/** Which operations wrote the values; their history is checked where the store itself is. */
const OUTPUT_STATES = new (class extends KillHistory {
  override stateOf(pairs: Iterable<[Uint8Array, Uint8Array]>): string {
    const found = [...pairs].map(([key, value]) => {
      const index = Number.parseInt(String(value), 10);
      return String(value) === this.valueOf(index) ? `${key}=${index}` : `${key}=something else`;
    });
    return found.sort().join();
  }
})();

function* exportedPairs(text: string): Generator<[Buffer, Buffer]> {
  for (const line of text.split('\n').slice(0, -1)) {
    const { key_b64, value_b64 } = JSON.parse(line) as { key_b64: string; value_b64: string };
    yield [Buffer.from(key_b64, 'base64'), Buffer.from(value_b64, 'base64')];
  }
}

/** The state of a history as `outputState` gives it. */
export function stateOfOutput(history: KillHistory, keyCount: number): string {
  const found: string[] = [];
  for (let key = 0; key < keyCount; key++) {
    const index = history.liveOperation(key);
    if (index !== undefined) found.push(`${history.keyName(key)}=${index}`);
  }
  return found.sort().join();
}

/** I11: neither a blocked event loop nor a stopped process is robbed. */
async function checkBlocked(directory: string, child: ChildProcess): Promise<void> {
  await expectLocked(directory, child);
  child.kill('SIGSTOP');
  while (!/\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1'))) await delay(1);
  await expectLocked(directory, child);
}

async function expectLocked(directory: string, child: ChildProcess): Promise<void> {
  let robbed: Store;
  try {
    robbed = await openStore(directory, { segmentBytes: KILL_SEGMENT_BYTES });
  } catch (error) {
    if (
      error instanceof StoreError &&
      error.code === 'STORE_LOCKED' &&
      error.holderPid === child.pid
    )
      return;
    throw new InvariantBroken(
      'I11',
      `a second writer gets: ${error instanceof Error ? error.message : error}`,
    );
  }
  await robbed.close();
  throw new InvariantBroken('I11', 'a second writer opened a store whose holder lives');
}
