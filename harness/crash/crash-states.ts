import { openStore, type Store } from '../../src/engine/index.ts';
import type { Prng } from '../prng.ts';
import { crashImages, type ImageBudget, imageDigest } from './crash-images.ts';
import { type RecordedWorkload, SEGMENT_BYTES, STORE_DIRECTORY } from './crash-workload.ts';
import { type DiskImage, DiskModel, EMPTY_DISK, fileSystemOf } from './disk-model.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import { RecordingFileSystem } from './recording-file-system.ts';
import type { TraceEvent } from './trace.ts';

/** What must hold of a store that is opened on a crash image. */
interface Expectation {
  /** Operations acknowledged as durable before the power went. */
  readonly acknowledged: number;
  /** Every txid below this one may have been given away. */
  readonly nextTxid: number;
}

export interface CrashFinding {
  readonly message: string;
  readonly image: DiskImage;
  /** Event of the trace before which the power went. */
  readonly at: number;
  readonly depth: 1 | 2;
}

export interface CrashStateCounts {
  /** Images built. */
  images: number;
  /** Distinct ones, each opened. */
  states: number;
  /** Of those, images of a crash in the recovery from another. */
  nestedStates: number;
}

export interface CrashStateOptions {
  readonly prng: Prng;
  readonly budget: ImageBudget;
  /** One state in so many is crashed again while it recovers. */
  readonly nestOneIn: number;
  readonly counts: CrashStateCounts;
}

/** Opens every image that a power cut during the workload may leave; returns what breaks an invariant. */
export async function checkCrashStates(
  { trace, history }: RecordedWorkload,
  options: CrashStateOptions,
): Promise<CrashFinding[]> {
  const findings: CrashFinding[] = [];
  const seen = new Set<string>();
  for (const { at, image, expectation } of cutPower(EMPTY_DISK, new Map(), trace, options)) {
    const digest = `${imageDigest(image)} ${expectation.acknowledged}`;
    if (seen.has(digest)) continue;
    seen.add(digest);
    options.counts.states++;
    let state: string;
    try {
      state = await openAndCheck(image, expectation, history);
    } catch (error) {
      findings.push({ message: messageOf(error), image, at, depth: 1 });
      continue;
    }
    if (options.prng.below(options.nestOneIn) === 0) {
      findings.push(...(await crashAgain(image, state, at, history, options)));
    }
  }
  return findings;
}

/** Crashes once more, in the recovery from an image and in the first write after it. */
async function crashAgain(
  image: DiskImage,
  state: string,
  at: number,
  history: RecordedWorkload['history'],
  options: CrashStateOptions,
): Promise<CrashFinding[]> {
  const findings: CrashFinding[] = [];
  const seen = new Set<string>();
  const fileSystem = new RecordingFileSystem(fileSystemOf(image));
  const inodes = inodesOf(image);
  const store = await open(fileSystem);
  store.put(AFTER_KEY, AFTER_VALUE);
  fileSystem.trace.push({ kind: 'appended', operations: 1, nextTxid: store.end.nextTxid });
  await store.sync();
  fileSystem.trace.push({ kind: 'acknowledged', operations: 1 });
  for (const nested of cutPower(image, inodes, fileSystem.trace, options)) {
    const digest = `${imageDigest(nested.image)} ${nested.expectation.acknowledged}`;
    if (seen.has(digest)) continue;
    seen.add(digest);
    options.counts.states++;
    options.counts.nestedStates++;
    try {
      await openAndCompare(nested.image, nested.expectation, state, history);
    } catch (error) {
      findings.push({ message: messageOf(error), image: nested.image, at, depth: 2 });
    }
  }
  return findings;
}

const AFTER_KEY = 'after';
const AFTER_VALUE = 'the recovery';

/** I6: however often recovery is cut short, it comes to the same store. */
async function openAndCompare(
  image: DiskImage,
  { acknowledged, nextTxid }: Expectation,
  expected: string,
  history: RecordedWorkload['history'],
): Promise<void> {
  const store = await open(fileSystemOf(image));
  const pairs = [...store.entries()];
  const after = pairs.findIndex(([key]) => String(key) === AFTER_KEY);
  if (after !== -1) pairs.splice(after, 1);
  const state = history.stateOf(pairs);
  if (state !== expected)
    throw new Error(`I6: recovery came to ${state}, and to ${expected} when it was not cut short`);
  if (after === -1 && acknowledged > 0) throw new Error('I2: what was synced after the recovery is gone');
  if (store.end.nextTxid < nextTxid)
    throw new Error(`I7: the next txid is ${store.end.nextTxid}, not above ${nextTxid}`);
}

/** Images of every moment at which the most is unsynced: just before a sync returns, and at the end. */
function* cutPower(
  first: DiskImage,
  inodes: ReadonlyMap<string, number>,
  trace: readonly TraceEvent[],
  { prng, budget, counts }: CrashStateOptions,
): Generator<{ at: number; image: DiskImage; expectation: Expectation }> {
  const disk = new DiskModel(first, (path) => inodes.get(path) as number);
  let expectation: Expectation = { acknowledged: 0, nextTxid: 0 };
  for (let at = 0; at <= trace.length; at++) {
    const event = trace[at];
    if (event === undefined || event.kind === 'dataSync' || event.kind === 'directorySync') {
      for (const image of crashImages(disk, prng, budget)) {
        counts.images++;
        yield { at, image, expectation };
      }
    }
    if (event === undefined) return;
    if (event.kind === 'acknowledged') expectation = { ...expectation, acknowledged: event.operations };
    else if (event.kind === 'appended') expectation = { ...expectation, nextTxid: event.nextTxid };
    else disk.advance(event, at);
  }
}

/** The inodes that the files of an image have in the file system made of it: its files are made in the same order. */
function inodesOf(image: DiskImage): Map<string, number> {
  const fileSystem = fileSystemOf(image);
  return new Map([...image.files.keys()].map((path) => [path, fileSystem.stat(path)?.inode as number]));
}

async function openAndCheck(
  image: DiskImage,
  { acknowledged, nextTxid }: Expectation,
  history: RecordedWorkload['history'],
): Promise<string> {
  const store = await open(fileSystemOf(image));
  const state = history.stateOf(store.entries());
  const prefix = history.longestPrefix(state);
  if (prefix === undefined) throw new Error(`I1: the state ${state} is the result of no prefix`);
  if (prefix < acknowledged) {
    throw new Error(
      `I2: the state of ${prefix} operations, although ${acknowledged} were acknowledged as durable`,
    );
  }
  if (store.end.nextTxid < nextTxid) {
    throw new Error(
      `I7: the next txid is ${store.end.nextTxid}, although all below ${nextTxid} may have been given`,
    );
  }
  return state;
}

function open(fileSystem: MemoryFileSystem | RecordingFileSystem): Promise<Store> {
  return openStore(STORE_DIRECTORY, { fileSystem, segmentBytes: SEGMENT_BYTES });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
