import { LIMITS } from '../../../src/engine/host/limits.ts';
import { openStore, type Probe, StoreError, type StoreOptions } from '../../../src/engine/index.ts';
import { ODD_CALLS, zooRound } from '../../arguments/argument-zoo.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { Prng } from '../../prng.ts';
import { InvariantBroken } from '../promises/invariants.ts';

/** What callers hand over, keep, and do while they are told something. */
export const ARGUMENT_CORNERS: readonly (() => Promise<void>)[] = [
  refuseOddArguments,
  writeWhatWasShared,
  dropWhatARefusedBatchStaged,
  letNoProbeReenter,
  refuseKeysThatHaveNoRoom,
  keepValuesApart,
];

const DIRECTORY = '/store';

async function refuseOddArguments(): Promise<void> {
  try {
    await zooRound(Prng.seeded(1), ODD_CALLS);
  } catch (error) {
    throw new InvariantBroken('I3', (error as Error).message);
  }
}

/** The file system changes the caller's memory in the middle of the write, as a thread would. */
async function writeWhatWasShared(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  const value = new Uint8Array(new SharedArrayBuffer(40_000)).fill(1);
  const vector = fileSystem.writeVector.bind(fileSystem);
  fileSystem.writeVector = (...args) => {
    value.fill(2);
    return vector(...args);
  };
  store.put('key', value);
  try {
    if (store.get('key')?.every((byte) => byte === 1) === true) return;
  } catch {
    // Told below.
  }
  throw new InvariantBroken('I3', 'a value that another thread changed was written half and half');
}

/** Memory that goes away in the middle of a batch: what was staged must not go out later. */
async function dropWhatARefusedBatchStaged(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  let victim: Uint8Array<ArrayBuffer> | undefined;
  const probe: Probe = {
    began: () => {
      if (victim !== undefined) structuredClone(victim, { transfer: [victim.buffer] });
      victim = undefined;
      return false;
    },
  };
  const store = await openStore(DIRECTORY, { fileSystem, probe });
  store.put('durable', 'value');
  victim = new Uint8Array(100);
  const value = victim;
  try {
    store.batch([
      { type: 'del', key: 'durable' },
      { type: 'put', key: 'gone', value },
    ]);
  } catch {
    // That is how it should be.
  }
  store.batch([{ type: 'put', key: 'next', value: 'value' }]);
  await store.close();
  const again = await openStore(DIRECTORY, { fileSystem });
  const isRight = again.has('durable') && again.has('next') && !again.has('gone');
  await again.close();
  if (!isRight)
    throw new InvariantBroken('I2', 'a batch that was refused took a durable key away later');
}

async function letNoProbeReenter(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  let calls = 0;
  const probe: Probe = {
    appended: () => {
      if (calls++ % 2 === 0) store.put(`inner ${calls}`, 'value');
    },
  };
  const store = await openStore(DIRECTORY, { fileSystem, probe });
  for (let index = 0; index < 20; index++) store.put(`key ${index}`, 'value');
  const lost = Array.from({ length: 20 }, (_, index) => `key ${index}`).filter(
    (key) => !store.has(key),
  );
  if (lost.length > 0)
    throw new InvariantBroken('I2', `${lost.length} of 20 keys vanished under a probe that writes`);
  await store.close();
}

async function refuseKeysThatHaveNoRoom(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const options = { fileSystem, [LIMITS]: { shardWords: 128 } } as StoreOptions;
  const store = await openStore(DIRECTORY, options);
  const keyOf = (number: number) => `${number}`.padStart(4, '0').repeat(12);
  let count = 0;
  let refusal: unknown;
  try {
    for (; count < 20_000; count++) store.put(keyOf(count), 'value');
  } catch (error) {
    refusal = error;
  }
  if (!(refusal instanceof StoreError) || refusal.code !== 'OUT_OF_MEMORY')
    throw new InvariantBroken('I14', `the keydir took ${count} keys, for which it has no room`);
  if (store.end.nextTxid !== count + 1)
    throw new InvariantBroken('I3', 'a key that was refused is in the log');
  await store.close();
}

async function keepValuesApart(): Promise<void> {
  const store = await openStore(DIRECTORY, { fileSystem: new MemoryFileSystem() });
  for (let index = 0; index < 20; index++) store.put(`key ${index}`, `value ${index}`);
  const values = Array.from({ length: 20 }, (_, index) => store.get(`key ${index}`));
  const { buffer } = values[0] as Uint8Array<ArrayBuffer>;
  try {
    structuredClone(buffer, { transfer: [buffer] });
  } catch {
    // Refused: that is as good.
  }
  for (const [index, value] of values.entries()) {
    if (index > 0 && String(value) !== `value ${index}`)
      throw new InvariantBroken('I3', 'the transfer of one value emptied another');
  }
  await store.close();
}
