import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { segmentIds, segmentPath } from '../../src/engine/format/segment-name.ts';
import { NodeFileSystem, openReader, type StoreReader } from '../../src/engine/index.ts';
import { mergeSteps } from '../support/merge-by-hand.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ENGINE = new URL('../../dist/src/engine/index.js', import.meta.url).href;

/**
 * A program that, for every line with a number, opens the store, appends so many records with turns
 * in between, and closes it.
 */
const WRITER = `
  import { createInterface } from 'node:readline';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { openStore } from ${JSON.stringify(ENGINE)};
  for await (const line of createInterface({ input: process.stdin })) {
    const store = await openStore(process.argv[1], { segmentBytes: 4096 });
    for (let left = Number(line); left > 0; left--) {
      const { nextTxid } = store.end;
      if (nextTxid % 7 === 0) store.delete('key-' + (nextTxid % 20));
      else store.put('key-' + (nextTxid % 20), 'value ' + nextTxid);
      if (nextTxid % 16 === 0) await nextTurn();
    }
    const last = store.end.nextTxid - 1;
    await store.close();
    console.log(last);
  }
`;

/** Appends so many records in another process; gives the last txid. */
function startWriter(directory: string): (records: number) => Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const closed = once(child, 'close');
    child.stdin.end();
    await closed;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (records) => {
    child.stdin.write(`${records}\n`);
    return Number((await lines.next()).value);
  };
}

/** Every record once, in order, and as it was written. */
async function pullTo(
  feed: AsyncIterator<{ txid: number; payload: Uint8Array }>,
  from: number,
  to: number,
) {
  for (let txid = from; txid <= to; txid++) {
    const { value } = await feed.next();
    expect(value.txid).toBe(txid);
    expect(String(value.payload)).toBe(txid % 7 === 0 ? '' : `value ${txid}`);
  }
}

function expectedPairs(last: number): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let txid = 1; txid <= last; txid++) {
    if (txid % 7 === 0) pairs.delete(`key-${txid % 20}`);
    else pairs.set(`key-${txid % 20}`, `value ${txid}`);
  }
  return pairs;
}

function checkPairs(reader: StoreReader, last: number): void {
  const pairs = new Map([...reader.entries()].map(([key, value]) => [String(key), String(value)]));
  expect(pairs).toEqual(expectedPairs(last));
}

test('a reader that keeps up with another process sees every record once, in order; one that is held back is told', async () => {
  const directory = temporaryDirectory();
  const fileSystem = new NodeFileSystem();
  const write = startWriter(directory);
  let last = await write(50);
  await using reader = await openReader(directory);
  const keepsUp = reader.follow({ fromTxid: 1, pollIntervalMs: 2 });
  const isHeldBack = reader.follow({ fromTxid: 1, pollIntervalMs: 2 });
  await pullTo(isHeldBack, 1, 10);
  let pulled = 0;
  for (let round = 0; round < 6; round++) {
    const writing = write(400);
    // Beside the writer, as far as is certain to come.
    await pullTo(keepsUp, pulled + 1, last + 400);
    pulled = last + 400;
    last = await writing;
    expect(last).toBe(pulled);
    await reader.refresh();
    checkPairs(reader, last);
    const ids = segmentIds(fileSystem.list(directory)).filter(
      (id) => fileSystem.stat(segmentPath(directory, id))?.sizeBytes !== 0,
    );
    for (const _ of mergeSteps(fileSystem, directory, ids[1] as number, ids.at(-2) as number)) {
      await reader.refresh();
      checkPairs(reader, last);
    }
  }
  const { value } = await isHeldBack.next();
  expect(value.txid).toBe(11);
  const holdOn = async () => {
    for (let txid = 12; ; txid++) await pullTo(isHeldBack, txid, txid);
  };
  await expect(holdOn()).rejects.toMatchObject({
    code: 'SNAPSHOT_GONE',
    segmentId: expect.any(Number),
  });
  await keepsUp.return?.();
});
