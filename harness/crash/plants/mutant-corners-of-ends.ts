import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openReader, openStore, StoreError } from '../../../src/engine/index.ts';
import { withFullDisk } from '../../file-systems/full-disk.ts';
import { intercept } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { WorkPerTurn } from '../../file-systems/work-per-turn.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { ENDINGS, endEverywhere, storeToEnd } from './ends.ts';

/**
 * Ends of what there is (a full disk, no descriptor left), and of work that somebody waits for.
 */
export const END_CORNERS: readonly (() => void | Promise<void>)[] = [
  openOnFullDisk,
  rotateWithoutDescriptor,
  yieldByWorkDone,
  escapeTextOfStrangers,
  refuseFieldTwice,
  endPauseOfScrub,
  endWhatTakesTime,
  shareNoContext,
];

const DIRECTORY = '/store';

/** However the store was left: what makes room again is a store that is open. */
async function openOnFullDisk(): Promise<void> {
  for (const isClosed of [true, false]) {
    const fileSystem = new MemoryFileSystem();
    const store = await openStore(DIRECTORY, { fileSystem });
    await store.putDurable('key', 'value');
    if (isClosed) await store.close();
    const full = withFullDisk(isClosed ? fileSystem : fileSystem.afterProcessDeath());
    const again = await openStore(DIRECTORY, { fileSystem: full }).catch((error: unknown) => {
      throw new InvariantBroken('I14', `a store on a full disk does not open: ${error}`);
    });
    if (again.get('key')?.toString() !== 'value')
      throw new InvariantBroken('I1', 'a store on a full disk has lost its key');
    await again.close();
  }
}

/** A rotation that could not begin has changed nothing, and may be tried again. */
async function rotateWithoutDescriptor(): Promise<void> {
  for (const failingOpen of [1, 2]) {
    const memory = new MemoryFileSystem();
    let opens = Number.POSITIVE_INFINITY;
    const fileSystem = intercept(memory, ({ method, args, name, proceed }) => {
      if (method === 'open' && args[1] !== 'read' && name.endsWith('.dwal') && --opens === 0)
        throw systemError('EMFILE');
      return proceed();
    });
    const store = await openStore(DIRECTORY, { fileSystem });
    store.put('before', 'value');
    opens = failingOpen;
    try {
      store.rotate();
      throw new InvariantBroken('I14', 'a rotation without a descriptor was done');
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
    if (store.poisoned !== undefined)
      throw new InvariantBroken('I14', `nothing was written, and the writer is poisoned`);
    store.rotate();
    await store.putDurable('after', 'value');
    await store.close();
    const again = await openStore(DIRECTORY, { fileSystem: memory });
    if (again.size !== 2)
      throw new InvariantBroken('I2', `${again.size} of 2 keys after a rotation that failed once`);
    await again.close();
  }
}

/** Many small segments are a long walk as well. */
async function yieldByWorkDone(): Promise<void> {
  const memory = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem: memory });
  for (let index = 0; index < 400; index++) {
    store.put(`key-${index}`, 'value');
    store.rotate();
  }
  await store.close();
  const measure = new WorkPerTurn();
  const fileSystem = measure.of(memory);
  const reader = await measure.during(() => openReader(DIRECTORY, { fileSystem }));
  await reader.close();
  if (measure.mostBytes > 8 * 1024 * 1024)
    throw new InvariantBroken(
      'I14',
      `an opening does ${measure.mostBytes} bytes of work in one go`,
    );
}

/** More turns of the event loop than a close takes, and far fewer than there are in a pause. */
const TURNS_OF_A_CLOSE = 2_000;

/** A scrub that waits for hours ends with its store. */
async function endPauseOfScrub(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  await store.putDurable('key', Buffer.alloc(1024 * 1024));
  const scrub = store.verify({ bytesPerSecond: 1 }).then(
    () => 'done',
    (error: StoreError) => error.code,
  );
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  let isClosed = false;
  void store.close().then(() => {
    isClosed = true;
  });
  for (let turn = 0; turn < TURNS_OF_A_CLOSE && !isClosed; turn++) await nextTurn();
  if (!isClosed) throw new InvariantBroken('I14', 'a close sleeps out the pause of a scrub');
  if ((await scrub) !== 'STORE_CLOSED')
    throw new InvariantBroken('I14', 'a scrub goes on after the close of its store');
}

/** Few of the calls at which something may end; a campaign goes through all of them. */
const STRIDE = 89;

async function endWhatTakesTime(): Promise<void> {
  const base = await storeToEnd();
  for (const ending of ENDINGS) {
    if (ending.takesSignal) await endEverywhere(ending, 'signal', base, STRIDE);
    if (ending.of !== 'nobody') await endEverywhere(ending, 'close', base, STRIDE);
  }
}

async function escapeTextOfStrangers(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const error = await openReader('/\u001b[2J\n', { fileSystem }).catch((reason: Error) => reason);
  if (!(error instanceof Error) || /\p{C}/u.test(error.message))
    throw new InvariantBroken('I14', 'a message holds what a terminal obeys');
}

async function refuseFieldTwice(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const line = '{"key_b64":"YQ==","value_b64":"YQ==","\\u006bey_b64":"Yg=="}';
  fileSystem.shareFile('/rows.jsonl', Buffer.from(line));
  const store = await openStore(DIRECTORY, { fileSystem });
  await store.importJsonl('/rows.jsonl').catch(() => {});
  if (store.size !== 0)
    throw new InvariantBroken('I3', 'of two fields with one name one was left out without a word');
  await store.close();
}

/** Syncs, seals and automatic merges belong to no request, whoever has started them. */
async function shareNoContext(): Promise<void> {
  const storage = new AsyncLocalStorage<string>();
  const begun = new Map<string, number>();
  const began = (_operation: number, kind: string) => {
    if (kind !== 'sync' && kind !== 'seal' && kind !== 'compact') return false;
    begun.set(kind, (begun.get(kind) ?? 0) + 1);
    if (storage.getStore() !== undefined) foreign = kind;
    return false;
  };
  let foreign: string | undefined;
  await storage.run('a request', async () => {
    const compaction = { auto: { deadRatio: 0.2, minBytes: 500 } };
    const fileSystem = new MemoryFileSystem();
    const probe = { began };
    const store = await openStore(DIRECTORY, { fileSystem, segmentBytes: 500, probe, compaction });
    for (let round = 0; round < 30; round++) {
      await store.putDurable('key', Buffer.alloc(200, round));
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
    await store.close();
  });
  if (begun.size < 3) throw new Error(`only ${[...begun.keys()]} have begun`);
  if (foreign !== undefined)
    throw new InvariantBroken('context', `a ${foreign} runs in the context of a request`);
}
