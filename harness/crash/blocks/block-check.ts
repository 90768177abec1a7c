import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openReader, openStore } from '../../../src/engine/index.ts';
import { follow } from '../kills/kill-store.ts';
import { adoptState, type LeftStore } from '../kills/kill-subject.ts';
import { checkAsReader, holdsSegments } from '../kills/kill-tidemark.ts';
import { KILL_SEGMENT_BYTES, KillHistory, killSteps } from '../kills/kill-workload.ts';
import { lifeOf, lookAt } from '../kills/store-life.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { mountImage, unmount } from './block-disk.ts';

/** The store's directory on the disk's file system. */
export const BLOCK_STORE = 'store';

/**
 * What the image of a disk is held to: all that its writer told, and how much of that it told
 * before the power went.
 */
export interface BlockPromises {
  readonly seed: number;
  readonly lines: readonly string[];
  /** The first so many lines. */
  readonly toldBefore: number;
  /** Another store than tidemark, which wrote and is asked. */
  readonly store?: StoreSubject;
}

/** Lines that say nothing of a step. */
const OPENING_LINES = 2;
/** Steps that return only when everything before them is on stable storage. */
const DURABLE_STEP = /^(?:durable|sync|reopen) (\d+)$/;

/**
 * Mounts the image, which replays the journal of its file system, and opens the store with the real
 * recovery. Writes to the image. Throws `InvariantBroken`.
 */
export async function checkBlockImage(
  image: string,
  mountPoint: string,
  promises: BlockPromises,
): Promise<BlockRecovery> {
  mountImage(image, mountPoint);
  const directory = join(mountPoint, BLOCK_STORE);
  try {
    if (promises.store !== undefined) {
      await checkAnyStore(directory, promises, promises.store);
      return 'recovered';
    }
    if (!holdsSegments(directory)) {
      if (leftBy(promises).acknowledged > 0) throw new InvariantBroken('I2', 'the store is gone');
      return 'nothing';
    }
    return await checkStore(directory, promises);
  } finally {
    unmount(mountPoint);
  }
}

/** Opens it in a process of its own, and holds it to its contract. */
async function checkAnyStore(
  directory: string,
  { seed, lines, toldBefore }: BlockPromises,
  subject: StoreSubject,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const small = { ...subject, shape: { ...subject.shape, takesLarge: false } };
  const at = { seed, round: 0, before: new Map() };
  const life = lifeOf(small, at, lines, 'power');
  const { required } = lifeOf(small, at, lines.slice(0, toldBefore), 'power');
  // What was begun later may be on no image; nothing asks for it.
  const { verdict } = await lookAt(small, directory, at, { ...life, required });
  if (verdict !== undefined) throw new InvariantBroken(verdict.promise, verdict.message);
}

/** The store on an image as a recovery finds it; nothing when there is none. */
export function copyBlockStore(image: string, mountPoint: string, to: string): void {
  mountImage(image, mountPoint);
  try {
    const directory = join(mountPoint, BLOCK_STORE);
    if (existsSync(directory)) cpSync(directory, to, { recursive: true });
  } finally {
    unmount(mountPoint);
  }
}

/** What an opening found: no store yet, one that was closed in order, or one to recover. */
export type BlockRecovery = 'nothing' | 'created' | 'clean' | 'recovered';

async function checkStore(directory: string, promises: BlockPromises): Promise<BlockRecovery> {
  const left = leftBy(promises);
  const { history } = left;
  // No txid is above the number of operations begun, some of which came after the power went.
  const mostTxid = history.length;
  await checkAsReader(directory, left);
  const store = await openStore(directory, { segmentBytes: KILL_SEGMENT_BYTES });
  const { outcome } = store.recoveryReport;
  try {
    adoptState(store.entries(), history, history.length);
    await store.putDurable(history.keyName(0), history.valueOf(history.length));
    history.append({ key: 0, kind: 'put' });
    const txid = [...store.scan()].at(-1)?.txid ?? 0;
    if (outcome === 'recovered' && txid <= mostTxid)
      throw new InvariantBroken(
        'I7',
        `txid ${txid} is given again: ${mostTxid} operations had begun`,
      );
  } finally {
    await store.close();
  }
  // The recovery was the last word on what is kept (I6).
  const reader = await openReader(directory);
  try {
    adoptState(reader.entries(), history, history.length);
  } finally {
    await reader.close();
  }
  return outcome;
}

/** A power cut leaves less than a kill does: what a sync covered, and outputs that were told of. */
function leftBy({ seed, lines, toldBefore }: BlockPromises): LeftStore {
  const told = lines.slice(OPENING_LINES, Math.max(OPENING_LINES, toldBefore));
  const outputsTold = told.filter((line) => /^(?:compactTo|export) /.test(line)).length;
  const durable = told
    .map((line) => DURABLE_STEP.exec(line)?.[1])
    .findLast((length) => length !== undefined);
  const run = {
    opened: lines.length >= OPENING_LINES,
    acknowledgements: lines.slice(OPENING_LINES),
  };
  const { history, outputs } = follow(new KillHistory(), killSteps(seed, 0), run);
  return {
    history,
    acknowledged: Number(durable ?? 0),
    outputs: outputs.map((output, index) => ({ ...output, isComplete: index < outputsTold })),
  };
}
