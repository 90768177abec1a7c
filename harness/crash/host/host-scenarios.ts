import { execFile } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LEASE_STALE_MS } from '../../../src/engine/host/file-system.ts';
import { openStore, StoreError } from '../../../src/engine/index.ts';
import { LOCK_FILE } from '../../../src/engine/lock/writer-lock.ts';
import type { Prng } from '../../prng.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { type CopyOutcome, digestOf, judgeCopy, judgeStore } from './host-judge.ts';
import { HOST_MOST_AT_ONCE, HOST_OPTIONS, hostValue } from './host-protocol.ts';
import { type HostWriter, monotonicMs } from './host-writer.ts';

/** What one scenario has to work with, and where it counts. */
export interface HostStage {
  /** An empty directory of its own. */
  readonly root: string;
  readonly prng: Prng;
  readonly kernelLocks: boolean;
  /** Starts a writer that goes away with the scenario. */
  readonly write: (directory: string, where?: 'here' | 'in a namespace') => HostWriter;
  readonly counts: HostCounts;
}

export interface HostCounts {
  copies: Record<CopyOutcome, number>;
  takeovers: number;
  slowestTakeoverMs: number;
  refusals: number;
}

export interface HostScenario {
  readonly name: string;
  readonly needsNamespaces?: true;
  /** It makes sense only where the kernel keeps others out, or only where it does not. */
  readonly kernelLocks?: boolean;
  /** It waits for real seconds. */
  readonly isSlow?: true;
  readonly run: (stage: HostStage) => Promise<void>;
}

const LEASE = `${LOCK_FILE}.lock`;
const HOUR_MS = 3_600_000;

const data = ({ root }: HostStage) => join(root, 'data');
const moved = ({ root }: HostStage) => join(root, 'moved');
const other = ({ root }: HostStage) => join(root, 'other');

/** A store of somebody else, closed in order. */
async function otherStore(stage: HostStage): Promise<string> {
  const store = await openStore(other(stage), HOST_OPTIONS);
  for (let number = 1; number <= 200; number++)
    store.put(`other-${number}`, hostValue(`other-${number}`, number));
  await store.close();
  return digestOf(other(stage));
}

/** Lets a writer go on for some of its syncs, and a moment that falls anywhere in one. */
async function atSomeMoment({ prng }: HostStage, writer: HostWriter): Promise<void> {
  await writer.acknowledgesMore(2 + prng.below(40));
  await delay(prng.below(5));
}

/**
 * Does something to the names of a store that is being written, after which nothing more may be
 * acknowledged; `home` is where its files are then.
 */
function names(
  name: string,
  act: (stage: HostStage) => void | Promise<void>,
  home: ((stage: HostStage) => string) | undefined,
): HostScenario {
  const run = async (stage: HostStage) => {
    const others = await otherStore(stage);
    const writer = stage.write(data(stage));
    await atSomeMoment(stage, writer);
    await act(stage);
    const actedMs = monotonicMs();
    await writer.endsOrGoesOn(actedMs);
    await writer.kill();
    if (writer.lastAcknowledgedStartMs > actedMs)
      throw new InvariantBroken('I13', 'a write that began afterwards was acknowledged');
    expectRefusal(stage, writer);
    const strangers = [data(stage), other(stage)].map(digestOf);
    if (!strangers.includes(others))
      throw new InvariantBroken('I13', 'the other store is not what it was');
    if (home !== undefined) await judgeStore(home(stage), [writer], 'I13');
  };
  return { name, run };
}

function expectRefusal({ counts }: HostStage, writer: HostWriter): void {
  // What poisons it may be the work of a seal or a merge: then its next write is refused for that.
  if (!/^refused .*STORE_MOVED/.test(writer.lastWords ?? ''))
    throw new InvariantBroken('I13', `it did not end with STORE_MOVED: ${writer.lastWords}`);
  counts.refusals++;
}

export const HOST_SCENARIOS: readonly HostScenario[] = [
  {
    name: 'a link is re-pointed to another store',
    run: async (stage) => {
      const others = await otherStore(stage);
      const link = join(stage.root, 'link');
      mkdirSync(data(stage));
      symlinkSync('data', link);
      const writer = stage.write(link);
      await atSomeMoment(stage, writer);
      symlinkSync('other', `${link}.new`);
      renameSync(`${link}.new`, link);
      await writer.acknowledgesMore(30);
      if (writer.lastWords !== undefined)
        throw new InvariantBroken('I13', `it did not go on: ${writer.lastWords}`);
      await writer.kill();
      if (digestOf(other(stage)) !== others)
        throw new InvariantBroken('I13', 'the other store was written into');
      await judgeStore(data(stage), [writer], 'I13');
    },
  },
  names(
    'the directory is moved, and another store takes its place',
    (stage) => {
      renameSync(data(stage), moved(stage));
      renameSync(other(stage), data(stage));
    },
    moved,
  ),
  names(
    'the directory is moved, and an empty one takes its place',
    (stage) => {
      renameSync(data(stage), moved(stage));
      mkdirSync(data(stage));
    },
    moved,
  ),
  names(
    'the directory is moved, and a copy takes its place',
    (stage) => {
      renameSync(data(stage), moved(stage));
      cpSync(moved(stage), data(stage), { recursive: true, preserveTimestamps: true });
    },
    moved,
  ),
  names('the directory is moved away', (stage) => renameSync(data(stage), moved(stage)), moved),
  names('the directory is removed', (stage) => removeAll(data(stage)), undefined),
  names(
    'all segments are removed',
    (stage) => {
      for (const name of readdirSync(data(stage)))
        if (name.endsWith('.dwal')) rmSync(join(data(stage), name), { force: true });
    },
    undefined,
  ),
  names(
    'the lock file is replaced by a copy of it',
    (stage) => {
      const copy = join(stage.root, 'lock');
      copyFileSync(join(data(stage), LOCK_FILE), copy);
      renameSync(copy, join(data(stage), LOCK_FILE));
    },
    data,
  ),
  names(
    'the lock file is moved into another directory, and that takes its place',
    (stage) => {
      renameSync(data(stage), moved(stage));
      mkdirSync(data(stage));
      renameSync(join(moved(stage), LOCK_FILE), join(data(stage), LOCK_FILE));
    },
    moved,
  ),
  {
    name: 'the lock files are removed, and a second writer comes',
    kernelLocks: true,
    run: async (stage) => {
      const first = stage.write(data(stage));
      await atSomeMoment(stage, first);
      for (const name of [LOCK_FILE, LEASE]) removeAll(join(data(stage), name));
      const actedMs = monotonicMs();
      const second = stage.write(data(stage));
      await second.opens();
      // Whether it is let in depends on whether the first has noticed, and has ended.
      await Promise.all([first.endsOrGoesOn(actedMs), second.acknowledgesMore(10)]);
      await first.kill();
      await second.kill();
      expectRefusal(stage, first);
      const locked = second.lastWords?.startsWith('failed STORE_LOCKED') ?? false;
      if (second.openMs === undefined && !locked)
        throw new InvariantBroken('I11', `the second writer fails: ${second.lastWords}`);
      await judgeStore(data(stage), [first, second], 'I11');
    },
  },
  {
    name: 'the live store is copied file by file, again and again',
    run: async (stage) => {
      const writer = stage.write(data(stage));
      await writer.opens();
      for (let copy = 0; copy < 4; copy++) {
        await atSomeMoment(stage, writer);
        const target = join(stage.root, `copy-${copy}`);
        const durable = writer.acknowledged;
        // Files that a merge removes meanwhile make it fail, and it goes on: so does its user.
        await promisify(execFile)('cp', ['-r', data(stage), target]).catch(() => {});
        stage.counts.copies[await judgeCopy(target, writer, durable)]++;
      }
      await writer.kill();
      await judgeStore(data(stage), [writer], 'I13');
    },
  },
  {
    name: 'a holder is killed, and another process opens the store at once',
    run: (stage) => killAndTakeOver(stage, 'here', undefined),
  },
  {
    name: 'a container is killed, and another one opens the store at once',
    needsNamespaces: true,
    kernelLocks: true,
    run: (stage) => killAndTakeOver(stage, 'in a namespace', undefined),
  },
  {
    name: 'a container is killed, and its lease is of a time that is still to come',
    needsNamespaces: true,
    kernelLocks: true,
    run: (stage) => killAndTakeOver(stage, 'in a namespace', HOUR_MS),
  },
  {
    name: 'a container is stopped while its lease grows old, and goes on',
    needsNamespaces: true,
    kernelLocks: true,
    run: async (stage) => {
      const holder = stage.write(data(stage), 'in a namespace');
      await atSomeMoment(stage, holder);
      await holder.stop();
      ageLease(data(stage), -HOUR_MS);
      const second = stage.write(data(stage), 'in a namespace');
      await second.ends();
      await second.kill();
      if (!second.lastWords?.startsWith('failed STORE_LOCKED'))
        throw new InvariantBroken('I11', `a stopped holder is robbed: ${second.lastWords}`);
      holder.continue();
      await holder.acknowledgesMore(10);
      if (holder.lastWords !== undefined)
        throw new InvariantBroken('I11', `after a stop it did not go on: ${holder.lastWords}`);
      await holder.kill();
      await judgeStore(data(stage), [holder], 'I11');
    },
  },
  {
    name: 'without kernel locks, a holder is stopped until it has lost its lease',
    kernelLocks: false,
    isSlow: true,
    run: async (stage) => {
      const holder = stage.write(data(stage));
      await atSomeMoment(stage, holder);
      await holder.stop();
      await delay(LEASE_STALE_MS + 1500);
      const second = stage.write(data(stage));
      await second.acknowledgesMore(20);
      if (second.openMs === undefined)
        throw new InvariantBroken('I11', `a stale lease blocks: ${second.lastWords}`);
      const { acknowledged } = holder;
      const continuedMs = monotonicMs();
      holder.continue();
      await Promise.all([holder.endsOrGoesOn(continuedMs), second.acknowledgesMore(20)]);
      await holder.kill();
      await second.kill();
      // A sync that had ended before the stop may be told of after it.
      const wentOn = holder.acknowledged - acknowledged > HOST_MOST_AT_ONCE;
      if (wentOn || !holder.lastWords?.startsWith('refused'))
        throw new InvariantBroken('I11', 'a holder that had lost its lease went on');
      await judgeStore(data(stage), [holder, second], 'I11');
    },
  },
];

async function killAndTakeOver(
  stage: HostStage,
  where: 'here' | 'in a namespace',
  leaseOffsetMs: number | undefined,
): Promise<void> {
  const { counts } = stage;
  const first = stage.write(data(stage), where);
  await atSomeMoment(stage, first);
  await first.kill();
  if (leaseOffsetMs !== undefined) ageLease(data(stage), leaseOffsetMs);
  const second = stage.write(data(stage), where);
  await second.opens();
  if (second.openMs === undefined)
    throw new InvariantBroken('I11', `a dead holder blocks: ${second.lastWords}`);
  counts.takeovers++;
  counts.slowestTakeoverMs = Math.max(counts.slowestTakeoverMs, second.openMs);
  await second.acknowledgesMore(10);
  await second.kill();
  await judgeStore(data(stage), [first, second], 'I11');
}

function ageLease(directory: string, offsetMs: number): void {
  const lease = join(directory, LEASE);
  const time = new Date(Date.now() + offsetMs);
  if (existsSync(lease) && statSync(lease).isDirectory()) utimesSync(lease, time, time);
}

/** A writer may make a file in what is being removed. */
function removeAll(path: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if (attempt === 20 || error instanceof StoreError) throw error;
    }
  }
}
