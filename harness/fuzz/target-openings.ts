import { decodeFrame } from '../../src/engine/format/frame.ts';
import {
  openReader,
  openStore,
  type Store,
  StoreError,
  type StoreReader,
  salvage,
} from '../../src/engine/index.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import { pick } from './byte-mutation.ts';
import { type FuzzInput, type FuzzTarget, Mishandled } from './fuzz-target.ts';
import { mutateStore } from './store-mutation.ts';

const DIRECTORY = '/store';
const RESCUED = '/rescued';

/** Whole hostile directories, opened by a reader and a writer. */
export const openingsTarget: FuzzTarget = {
  name: 'openings',
  weight: 14,
  make: (prng, seeds) => mutateStore(prng, pick(prng, seeds), pick(prng, seeds)),
  async check(input) {
    const written = new WrittenPairs(input);
    await checkReader(input, written);
    await checkStore(input, written);
  },
};

/** The same directories, rescued. */
export const salvageTarget: FuzzTarget = {
  name: 'salvage',
  weight: 4,
  make: openingsTarget.make,
  check: (input) => checkSalvage(input, new WrittenPairs(input)),
};

/**
 * Every pair that some whole frame of the input holds, wherever it lies: nothing else may ever come
 * out.
 */
class WrittenPairs {
  private readonly input: FuzzInput;
  private found: Set<string> | undefined;

  constructor(input: FuzzInput) {
    this.input = input;
  }

  has(key: Uint8Array, value: Uint8Array): boolean {
    this.found ??= new Set(
      [...this.input.values()].flatMap((bytes) => [...pairsIn(Buffer.from(bytes))]),
    );
    return this.found.has(pairText(key, value));
  }
}

function* pairsIn(bytes: Buffer): Generator<string> {
  for (let at = bytes.indexOf('DWAL'); at !== -1; at = bytes.indexOf('DWAL', at + 1)) {
    const decoded = decodeFrame(bytes, at);
    if (decoded.ok) yield pairText(decoded.record.key, decoded.record.payload);
  }
}

function pairText(key: Uint8Array, value: Uint8Array): string {
  return `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')}`;
}

function memoryOf(input: FuzzInput): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(DIRECTORY);
  for (const [name, bytes] of input) fileSystem.writeFile(`${DIRECTORY}/${name}`, bytes);
  return fileSystem;
}

/**
 * A refusal must have a code, and come of the disk or of a decision, never of a mistake in the
 * program.
 */
function checkRefusal(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
  const { cause } = error;
  const isMistake =
    cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError;
  if (isMistake) throw new Mishandled(`${error.message}, which hides: ${(cause as Error).stack}`);
}

/** Undefined when it is refused, as it may be. */
async function attempt<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    checkRefusal(error);
    return undefined;
  }
}

function checkDescriptors(fileSystem: MemoryFileSystem, after: string): void {
  const count = fileSystem.openDescriptorCount;
  if (count > 0) throw new Mishandled(`${count} descriptors are left open after ${after}`);
}

async function checkReader(input: FuzzInput, written: WrittenPairs): Promise<void> {
  const fileSystem = memoryOf(input);
  const reader = await attempt(() => openReader(DIRECTORY, { fileSystem }));
  if (reader !== undefined) {
    checkPairs(reader, written);
    await reader.close();
  }
  checkDescriptors(fileSystem, 'a reader');
}

async function checkSalvage(input: FuzzInput, written: WrittenPairs): Promise<void> {
  const fileSystem = memoryOf(input);
  const report = await attempt(() => salvage(DIRECTORY, RESCUED, { fileSystem }));
  if (report === undefined) return checkDescriptors(fileSystem, 'a refused salvage');
  const store = await openStore(RESCUED, { fileSystem });
  if (store.recoveryReport.recordsKept !== report.recordsKept)
    throw new Mishandled(`salvage reports ${report.recordsKept} records and kept another number`);
  checkPairs(store, written);
  await store.close();
  checkDescriptors(fileSystem, 'a salvage');
}

/** Whatever opens can also be written to, and opens again with what was written. */
async function checkStore(input: FuzzInput, written: WrittenPairs): Promise<void> {
  const fileSystem = memoryOf(input);
  const store = await attempt(() => openStore(DIRECTORY, { fileSystem }));
  if (store === undefined) return checkDescriptors(fileSystem, 'a refused opening');
  checkPairs(store, written);
  let isWritten = true;
  try {
    await store.putDurable('fuzz key', 'fuzz value');
  } catch (error) {
    checkRefusal(error);
    isWritten = false;
  }
  await attempt(() => store.close());
  checkDescriptors(fileSystem, 'a store');
  if (!isWritten) return;
  const again = await attempt(() => openStore(DIRECTORY, { fileSystem }));
  if (again === undefined) {
    // A seal whose checksums hold is believed until its segment is read, which may be later.
    if ([...input.keys()].some((name) => /\.(?:seal|merge)$/.test(name))) return;
    throw new Mishandled('it opened, was written to, and does not open again');
  }
  const value = again.get('fuzz key');
  await again.close();
  if (value === undefined || Buffer.from(value).toString() !== 'fuzz value')
    throw new Mishandled('a pair that was acknowledged as durable is gone after the next opening');
}

function checkPairs(view: Store | StoreReader, written: WrittenPairs): void {
  for (const key of view.keys()) {
    let value: Uint8Array | undefined;
    try {
      value = view.get(key);
    } catch (error) {
      checkRefusal(error);
      continue;
    }
    if (value === undefined || !written.has(key, value))
      throw new Mishandled(
        `the key ${Buffer.from(key).toString('hex')} gives a pair that no frame holds`,
      );
  }
}
