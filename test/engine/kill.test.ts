import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { KillHistory, killSteps, operationsOf } from '../../harness/crash/kills/kill-workload.ts';
import { Prng } from '../../harness/prng.ts';
import { openReader, openStore, type Store, type StoreReader } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const CHILD = fileURLToPath(
  new URL('../../dist/harness/crash/kills/kill-child.js', import.meta.url),
);
const KILLS_PER_STORE = 7;

/**
 * Runs the child until it has written `lines` lines, kills it, and returns all the lines that it
 * wrote by then.
 */
async function runAndKill(lines: number, ...args: (string | number)[]): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let count = 0;
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    count += chunk.split('\n').length - 1;
    if (count >= lines) child.kill('SIGKILL');
  });
  const closed = once(child, 'close');
  // Before the directory that it writes into is removed, when the test is over too early.
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const [code, signal] = await closed;
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  // What follows the last line feed is a line that was not finished.
  return text.split('\n').slice(0, -1);
}

/**
 * Repeats what the child did, as far as it told and one step further, since it may have died inside
 * that one.
 */
function follow(
  history: KillHistory,
  seed: number,
  round: number,
  lines: readonly string[],
): number {
  const steps = killSteps(seed, round);
  for (const line of lines.slice(2)) {
    const step = steps.next().value;
    for (const operation of operationsOf(step)) history.append(operation);
    expect(line).toBe(`${step.kind} ${history.length}`);
  }
  const acknowledged = history.length;
  if (lines.length >= 2) {
    for (const operation of operationsOf(steps.next().value)) history.append(operation);
  }
  return acknowledged;
}

/**
 * I1 to I3, and that no txid was used twice (I7). From here on the history is what the store shows.
 */
function check(view: Store | StoreReader, history: KillHistory, acknowledged: number): void {
  const kept = history.longestPrefix(history.stateOf(view.entries()));
  expect(kept, 'I1: the state is the result of a prefix').toBeDefined();
  expect(kept, 'I2: everything acknowledged is there').toBeGreaterThanOrEqual(acknowledged);
  let lastTxid = 0;
  for (const { txid } of view.scan()) {
    expect(txid).toBeGreaterThan(lastTxid);
    lastTxid = txid;
  }
  if (kept !== history.length) history.rollBack(kept as number);
}

async function killAgainAndAgain(seed: number, over: AbortSignal): Promise<void> {
  const directory = temporaryDirectory();
  const prng = Prng.seeded(seed);
  const history = new KillHistory();
  for (let round = 0; round < KILLS_PER_STORE; round++) {
    over.throwIfAborted();
    // Some die while they open, some with their first operations, most in the middle.
    const lines = 1 + prng.below([1, 4, 200, 200][prng.below(4)] as number);
    const written = await runAndKill(lines, directory, seed, round, history.length);
    const acknowledged = follow(history, seed, round, written);
    if (prng.below(2) === 0 && acknowledged > 0) {
      // A reader repairs nothing: the next child finds what this one left.
      const reader = await openReader(directory);
      check(reader, history, acknowledged);
      await reader.close();
    } else {
      const store = await openStore(directory);
      check(store, history, acknowledged);
      store.put(history.keyName(0), history.valueOf(history.length));
      history.append({ key: 0, kind: 'put' });
      await store.close();
    }
  }
  const store = await openStore(directory);
  check(store, history, history.length);
  await store.close();
}

test('a store killed again and again keeps every operation that it acknowledged', async ({
  signal,
}) => {
  const outcomes = await Promise.allSettled([
    killAgainAndAgain(1, signal),
    killAgainAndAgain(2, signal),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
});
