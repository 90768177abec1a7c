import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mix32, Prng } from '../../prng.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import { InvariantBroken, invariantOf } from '../promises/invariants.ts';
import {
  BLOCK_STORE,
  type BlockPromises,
  type BlockRecovery,
  checkBlockImage,
  copyBlockStore,
} from './block-check.ts';
import { type BlockCopy, BlockDisk, copySparse } from './block-disk.ts';
import { mixInto } from './block-mix.ts';
import { BlockWriter } from './block-writer.ts';

/** Files of a finding, as `block-reproduce` reads them. */
export const IMAGE_FILE = 'disk.img';
export const PROMISES_FILE = 'promises.json';
export const FOUND_STORE = 'store';

export interface BlockImage {
  readonly kind: 'moment' | 'mixed';
  readonly recovery: BlockRecovery;
  readonly requestsInFlight: number;
}

export interface BlockFinding {
  readonly invariant: string;
  readonly message: string;
  readonly kind: BlockImage['kind'];
  /** The writer's seed. */
  readonly seed: number;
  readonly toldBefore: number;
  /**
   * Holds the files named above; of a writer that failed by itself only the store, as it was then.
   */
  readonly directory: string;
}

export type BlockEvent =
  | { readonly type: 'image'; readonly image: BlockImage }
  | { readonly type: 'finding'; readonly finding: BlockFinding };

/** Moments of one disk. */
const MOMENTS = 5;
/** The most lines between two moments. It keeps what is written well below the size of the disk. */
const MOST_LINES = 120;
const SETTLING_MS = 20;
/** Images mixed of one pair. */
const MIXES = 4;
/** So many images of one disk are checked, whatever the time. */
const LEAST_CHECKED = 12;

interface Taken {
  readonly kind: BlockImage['kind'];
  readonly path: string;
  readonly toldBefore: number;
  readonly requestsInFlight: number;
}

export interface BlockDiskRun {
  readonly signal: AbortSignal;
  /** A time of `performance.now()`. Only a few of the images that are there then are checked. */
  readonly endMs: number;
  readonly store?: StoreSubject | undefined;
}

/**
 * One disk, from an empty file system to the last of its images. `place` is a directory of its own,
 * removed at the end; a finding goes into `findings`.
 */
export async function* runBlockDisk(
  place: string,
  findings: string,
  seed: number,
  { signal, endMs, store }: BlockDiskRun,
): AsyncGenerator<BlockEvent> {
  mkdirSync(place, { recursive: true });
  const prng = Prng.seeded(mix32(seed));
  const disk = new BlockDisk(place);
  try {
    const writer = new BlockWriter(join(disk.root, BLOCK_STORE), seed, store);
    const taken: Taken[] = [];
    let trouble: BlockFinding | undefined;
    let lines: string[];
    try {
      for (let moment = 0; moment < MOMENTS && !signal.aborted; moment++) {
        await writer.tells(writer.told + prng.below(MOST_LINES));
        taken.push(...(await takeMoment(disk, writer, join(place, `moment-${moment}`), prng)));
      }
    } catch (error) {
      if (!(error instanceof InvariantBroken)) throw error;
      const directory = keepDirectory(findings);
      cpSync(join(disk.root, BLOCK_STORE), join(directory, FOUND_STORE), { recursive: true });
      const { invariant, message } = error;
      trouble = { invariant, message, kind: 'moment', seed, toldBefore: writer.told, directory };
    } finally {
      lines = await writer.end();
    }
    if (trouble !== undefined) yield { type: 'finding', finding: trouble };
    shuffle(taken, prng);
    for (const [index, one] of taken.entries()) {
      if (signal.aborted || (index >= LEAST_CHECKED && performance.now() > endMs)) break;
      const promises = { seed, lines, toldBefore: one.toldBefore, ...(store && { store }) };
      yield await checkTaken(one, promises, place, findings);
    }
  } finally {
    disk.close();
    rmSync(place, { recursive: true, force: true });
  }
}

/** Two copies in quick succession, and mixtures of them when no flush ended in between. */
async function takeMoment(
  disk: BlockDisk,
  writer: BlockWriter,
  path: string,
  prng: Prng,
): Promise<Taken[]> {
  // What was told before the copying began was promised at both moments.
  const toldBefore = writer.told;
  const paths = [`${path}-first.img`, `${path}-second.img`] as const;
  const copies = await copyBothAt(disk, writer, paths, prng);
  const takenAs = (kind: Taken['kind'], at: 0 | 1, path: string): Taken => {
    const { requestsInFlight } = copies[at];
    return { kind, path, toldBefore, requestsInFlight };
  };
  const taken = [takenAs('moment', 0, paths[0]), takenAs('moment', 1, paths[1])];
  if (copies[0].flushes !== copies[1].flushes) return taken;
  for (let number = 0; number < MIXES; number++) {
    const mixedPath = `${path}-mixed-${number}.img`;
    copySparse(paths[0], mixedPath);
    // One sector that differs is in one of the two already.
    if (mixInto(mixedPath, paths[1], prng) < 2) {
      rmSync(mixedPath);
      break;
    }
    taken.push(takenAs('mixed', 1, mixedPath));
  }
  return taken;
}

/** Every second time the writer stands still, and what it has not synced is written back. */
async function copyBothAt(
  disk: BlockDisk,
  writer: BlockWriter,
  paths: readonly [string, string],
  prng: Prng,
): Promise<[BlockCopy, BlockCopy]> {
  if (prng.below(2) === 0) return disk.copyTwice(paths);
  writer.pause();
  try {
    // A sync that one of its threads has begun comes to its end first.
    await delay(SETTLING_MS);
    return await disk.copyTwice(paths, join(disk.root, BLOCK_STORE));
  } finally {
    writer.resume();
  }
}

async function checkTaken(
  { kind, path, requestsInFlight }: Taken,
  promises: BlockPromises,
  place: string,
  findings: string,
): Promise<BlockEvent> {
  const work = join(place, 'work.img');
  copySparse(path, work);
  try {
    const recovery = await checkBlockImage(work, join(place, 'mounted'), promises);
    rmSync(path);
    return { type: 'image', image: { kind, recovery, requestsInFlight } };
  } catch (error) {
    const directory = keepFinding(path, place, promises, findings);
    const { seed, toldBefore } = promises;
    const message = error instanceof Error ? error.message : String(error);
    return {
      type: 'finding',
      finding: { invariant: invariantOf(error), message, kind, seed, toldBefore, directory },
    };
  }
}

function keepDirectory(findings: string): string {
  mkdirSync(findings, { recursive: true });
  return mkdtempSync(join(findings, 'found-'));
}

function keepFinding(
  image: string,
  place: string,
  promises: BlockPromises,
  findings: string,
): string {
  const directory = keepDirectory(findings);
  writeFileSync(join(directory, PROMISES_FILE), JSON.stringify(promises));
  const work = join(place, 'work.img');
  copySparse(image, work);
  renameSync(image, join(directory, IMAGE_FILE));
  copyBlockStore(work, join(place, 'mounted'), join(directory, FOUND_STORE));
  return directory;
}

function shuffle<T>(list: T[], prng: Prng): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = prng.below(index + 1);
    [list[index], list[other]] = [list[other] as T, list[index] as T];
  }
}
