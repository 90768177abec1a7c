import { basename, dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LEASE_STALE_MS } from '../../../src/engine/host/file-system.ts';
import { type FileSystem, openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import {
  decideLease,
  type LeaseEvidence,
  type OwnerRecord,
} from '../../../src/engine/lock/lock-decision.ts';
import { type Call, intercept, isChange } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { InvariantBroken } from '../promises/invariants.ts';

/**
 * What becomes of a store whose names lead elsewhere while it is open, whose lock files are
 * removed, or whose lock was lost. Each throws `InvariantBroken`.
 */
export const IDENTITY_CORNERS: readonly (() => void | Promise<void>)[] = [
  stayWhereTheLinkLed,
  replaceTheDirectoryAtEachCall,
  acknowledgeNothingWithoutLockFile,
  acknowledgeNothingThatWasRemoved,
  answerFromNoOtherStore,
  letNobodyIntoASegment,
  writeNothingOnceTheLeaseIsOld,
  takeOverFromTheDead,
  blockNobodyByAClock,
  copyIntoTheRootOfADisk,
  backUpIntoOneTargetOnly,
];

const OPTIONS = { segmentBytes: 400 };
const VALUE = 'v'.repeat(60);

/** Puts, syncs, rotations and a merge; returns the keys that were acknowledged as durable. */
async function work(store: Store, keys = 14): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    for (let number = 0; number < keys; number++) {
      store.put(`twice-${number % 3}`, VALUE);
      await store.putDurable(`key-${number}`, VALUE);
      acknowledged.push(`key-${number}`);
    }
    await store.compact({ deadRatio: 0 });
    await store.putDurable('last', VALUE);
    acknowledged.push('last');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  await store.close().catch(() => {});
  return acknowledged;
}

async function otherStore(disk: MemoryFileSystem, directory: string): Promise<string> {
  const store = await openStore(directory, { ...OPTIONS, fileSystem: disk });
  for (let number = 0; number < 14; number++) store.put(`key-${number}`, `other${VALUE}`.slice(5));
  await store.close();
  return contentsOf(disk, directory);
}

function contentsOf(disk: MemoryFileSystem, directory: string): string {
  const names = disk.list(directory).sort();
  const isFile = (name: string) => disk.stat(`${directory}/${name}`)?.kind === 'file';
  return names
    .map((name) =>
      isFile(name) ? `${name} ${disk.readFile(`${directory}/${name}`).toString('base64')}` : name,
    )
    .join('\n');
}

async function expectKeys(
  disk: MemoryFileSystem,
  directory: string,
  acknowledged: readonly string[],
  when: string,
): Promise<void> {
  if (acknowledged.length === 0) return;
  let missing: readonly string[];
  try {
    const store = await openStore(directory, { fileSystem: disk.afterProcessDeath() });
    missing = acknowledged.filter((key) => !store.has(key));
  } catch (error) {
    throw new InvariantBroken('I13', `${when}, its store does not open: ${error}`);
  }
  if (missing.length > 0)
    throw new InvariantBroken('I13', `${when}, what was acknowledged is nowhere: ${missing}`);
}

async function stayWhereTheLinkLed(): Promise<void> {
  const disk = new MemoryFileSystem();
  const others = await otherStore(disk, '/second');
  disk.makeDirectory('/first');
  // `/link` is a link; who has followed it has the path of what it leads to.
  let leadsTo = '/first';
  const follow = (path: unknown) =>
    typeof path === 'string' ? path.replace(/^\/link(?=\/|$)/, leadsTo) : path;
  const linked = intercept(disk, ({ method, args }) =>
    Reflect.apply(disk[method] as (...all: unknown[]) => unknown, disk, args.map(follow)),
  );
  const store = await openStore('/link', { ...OPTIONS, fileSystem: linked });
  leadsTo = '/second';
  const acknowledged = await work(store);
  if (contentsOf(disk, '/second') !== others)
    throw new InvariantBroken('I13', 'a link was re-pointed, and the other store was written into');
  if (!acknowledged.includes('last'))
    throw new InvariantBroken('I13', 'a link was re-pointed, and the store did not go on');
  await expectKeys(disk, '/first', acknowledged, 'after a link was re-pointed');
}

/**
 * Replaces the directory by that of another store before each call, one run each. A look at it and
 * the call that follows count as one moment: no file system gives more.
 */
async function replaceTheDirectoryAtEachCall(): Promise<void> {
  for (let replacing = 1, isOver = false; !isOver; replacing += replacing < 60 ? 1 : 5) {
    const disk = new MemoryFileSystem();
    const others = await otherStore(disk, '/other');
    let left = Number.POSITIVE_INFINITY;
    let isLookedAt = false;
    const moved = intercept(disk, (call) => {
      if (call.method === 'stat') isLookedAt = true;
      else {
        if (!isLookedAt && !isOver && isByName(call) && --left <= 0) {
          left = Number.POSITIVE_INFINITY;
          disk.rename('/data', '/moved');
          disk.rename('/other', '/data');
        }
        isLookedAt = false;
      }
      return call.proceed();
    });
    const store = await openStore('/data', { ...OPTIONS, fileSystem: moved });
    left = replacing;
    const acknowledged = await work(store);
    isOver = disk.stat('/moved') === undefined;
    if (isOver) break;
    const when = `replaced before its ${replacing}th call`;
    if (contentsOf(disk, '/data') !== others)
      throw new InvariantBroken('I13', `${when}, it wrote into the store in its place`);
    await expectKeys(disk, '/moved', acknowledged, when);
    await nextTurn();
  }
}

/** Reads by descriptor and closes tell nothing of names. */
function isByName({ method, path }: Call): boolean {
  return !/^read|^close|^statDescriptor/.test(method) || path === '';
}

async function acknowledgeNothingWithoutLockFile(): Promise<void> {
  const disk = new MemoryFileSystem();
  const store = await openStore('/data', { ...OPTIONS, fileSystem: disk });
  await store.putDurable('before', VALUE);
  disk.remove('/data/.lock');
  const acknowledged = await store.putDurable('after', VALUE).then(
    () => true,
    () => false,
  );
  await store.close().catch(() => {});
  if (acknowledged)
    throw new InvariantBroken('I13', 'its lock file was removed, and a sync was acknowledged');
}

async function acknowledgeNothingThatWasRemoved(): Promise<void> {
  const disk = new MemoryFileSystem();
  const store = await openStore('/data', { fileSystem: disk });
  await store.putDurable('before', VALUE);
  for (const name of disk.list('/data')) if (!name.startsWith('.')) disk.remove(`/data/${name}`);
  const acknowledged = await store.putDurable('after', VALUE).then(
    () => true,
    () => false,
  );
  await store.close().catch(() => {});
  if (acknowledged)
    throw new InvariantBroken('I13', 'its segments were removed, and a sync was acknowledged');
}

async function answerFromNoOtherStore(): Promise<void> {
  const disk = new MemoryFileSystem();
  for (const name of ['data', 'other']) {
    const made = await openStore(`/${name}`, { fileSystem: disk });
    made.put('key', name.slice(0, 4));
    await made.close();
  }
  const store = await openStore('/data', { fileSystem: disk, descriptorPoolSize: 0 });
  disk.rename('/data', '/moved');
  disk.rename('/other', '/data');
  let answer: string | undefined;
  try {
    answer = store.get('key')?.toString();
  } catch {
    // It says that the file is another one's.
  }
  await store.close().catch(() => {});
  if (answer !== undefined && answer !== 'data')
    throw new InvariantBroken('I3', `a get answers ${answer} from the store in its place`);
}

async function letNobodyIntoASegment(): Promise<void> {
  const disk = new MemoryFileSystem();
  const first = await openStore('/data', { fileSystem: disk });
  await first.putDurable('first', VALUE);
  disk.remove('/data/.lock');
  disk.removeDirectory('/data/.lock.lock');
  let second: Store | undefined;
  const acknowledged = ['first'];
  try {
    second = await openStore('/data', { fileSystem: disk });
    await second.putDurable('second', VALUE);
    acknowledged.push('second');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  first.put('late', VALUE);
  await first.close().catch(() => {});
  await second?.close().catch(() => {});
  try {
    await expectKeys(disk, '/data', acknowledged, 'with two writers');
  } catch (error) {
    throw new InvariantBroken('I11', `lock files were removed: ${(error as Error).message}`);
  }
}

async function writeNothingOnceTheLeaseIsOld(): Promise<void> {
  for (const write of [
    (store: Store) => void store.put('late', VALUE),
    (store: Store) => store.batch([{ type: 'put', key: 'late', value: VALUE }]),
    (store: Store) => store.rotate(),
  ]) {
    const disk = new MemoryFileSystem();
    let ageMs = 0;
    const fileSystem = withoutKernelLocks(disk, () => ageMs);
    const store = await openStore('/data', { fileSystem });
    await store.putDurable('before', VALUE);
    const before = contentsOf(disk, '/data');
    ageMs = LEASE_STALE_MS + 1;
    try {
      write(store);
    } catch {
      // It is poisoned.
    }
    if (contentsOf(disk, '/data') !== before)
      throw new InvariantBroken('I11', 'a writer whose lease is another one by now writes');
  }
}

function withoutKernelLocks(disk: MemoryFileSystem, ageMs: () => number): FileSystem {
  return intercept(disk, ({ method, proceed }) => {
    if (method === 'tryLock') return 'unsupported';
    if (method !== 'holdLease') return proceed();
    const held = proceed() as ReturnType<FileSystem['holdLease']>;
    return held.then(({ release }) => ({ ageMs, release }));
  });
}

const SELF = {
  pid: 1,
  processStart: '100',
  bootId: 'boot',
  pidNamespace: 'mine',
  host: 'here',
};
const RECORD: OwnerRecord = {
  ...SELF,
  pidNamespace: 'of a container',
  device: 1,
  inode: 2,
  kernelLock: true,
  leaseInode: null,
  nonce: '00',
  released: false,
};
const EVIDENCE: LeaseEvidence = {
  lease: { inode: 3, stale: false },
  record: RECORD,
  self: SELF,
  sentinel: { device: 1, inode: 2 },
  kernelLockHeld: true,
  startOfRecordedPid: '100',
  startOfRecordedThread: undefined,
};

/** A dead holder never blocks, and a live one always does. */
function takeOverFromTheDead(): void {
  const thread = { id: 7, start: '200' };
  const ofMine: OwnerRecord = { ...RECORD, pidNamespace: 'mine', kernelLock: false, thread };
  const cases: readonly [string, Partial<LeaseEvidence>, 'dead' | 'held'][] = [
    ['killed in another pid namespace', {}, 'dead'],
    ['without the kernel lock, in another one', { kernelLockHeld: false }, 'held'],
    ['of another boot', { record: { ...RECORD, bootId: 'other', host: 'there' } }, 'held'],
    ['whose thread has ended', { record: ofMine, startOfRecordedThread: null }, 'dead'],
    ['whose thread lives', { record: ofMine, startOfRecordedThread: '200' }, 'held'],
  ];
  for (const [holder, evidence, expected] of cases) {
    const decision = decideLease({ ...EVIDENCE, ...evidence });
    if (decision !== expected)
      throw new InvariantBroken('I11', `the lease of a holder ${holder} counts as ${decision}`);
  }
}

/** A lease of nobody knows whom, whose time is far in the future. */
async function blockNobodyByAClock(): Promise<void> {
  const disk = new MemoryFileSystem();
  disk.makeDirectory('/data/.lock.lock');
  const modifiedMs = Date.now() + 100 * LEASE_STALE_MS;
  const fileSystem = intercept(disk, ({ method, name, proceed }) => {
    const stat = proceed();
    return method === 'stat' && name === '.lock.lock' && stat !== undefined
      ? { ...(stat as object), modifiedMs }
      : stat;
  });
  try {
    await (await openStore('/data', { fileSystem })).close();
  } catch (error) {
    throw new InvariantBroken('I11', `a lease of the future keeps everybody out: ${error}`);
  }
}

async function copyIntoTheRootOfADisk(): Promise<void> {
  const disk = new MemoryFileSystem();
  disk.makeDirectory('/mnt');
  const fileSystem = intercept(disk, ({ method, args, proceed }) => {
    const isAcross = [args[0], args[1]].map((path) => `${path}/`.startsWith('/mnt/'));
    if (method === 'rename' && isAcross[0] !== isAcross[1]) throw systemError('EXDEV');
    return proceed();
  });
  const store = await openStore('/data', { ...OPTIONS, fileSystem });
  for (let number = 0; number < 14; number++) store.put(`key-${number}`, VALUE);
  let copied: number | string;
  try {
    await store.compactTo('/mnt');
    copied = (await openStore('/mnt', { fileSystem })).size;
  } catch (error) {
    copied = String(error);
  }
  await store.close();
  if (copied !== 14)
    throw new InvariantBroken('outputs', `compactTo into the root of a disk: ${copied}`);
}

async function backUpIntoOneTargetOnly(): Promise<void> {
  for (let replacing = 3, isOver = false; !isOver; replacing++) {
    const disk = new MemoryFileSystem();
    let left = Number.POSITIVE_INFINITY;
    let isLookedAt = false;
    const fileSystem = intercept(disk, (call) => {
      const isInTarget = dirname(call.path) === '/backup';
      if (isInTarget && call.method === 'stat') isLookedAt = true;
      else if (isInTarget && isChange(call) && !isLookedAt && --left === 0) {
        disk.rename('/backup', '/moved');
        disk.makeDirectory('/backup');
      }
      if (call.method !== 'stat') isLookedAt = false;
      return call.proceed();
    });
    const store = await openStore('/data', { ...OPTIONS, fileSystem });
    for (let number = 0; number < 14; number++) store.put(`key-${number}`, VALUE);
    await store.sealsWritten();
    left = replacing;
    await store.backup('/backup').catch(() => {});
    await store.close();
    isOver = disk.stat('/moved') === undefined;
    const names = isOver ? [] : disk.list('/backup').map((name) => basename(name));
    if (names.length > 0)
      throw new InvariantBroken('I13', `a backup wrote ${names} into what took its target's place`);
  }
}
