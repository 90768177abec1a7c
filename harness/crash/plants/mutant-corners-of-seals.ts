import { setImmediate as nextTurn } from 'node:timers/promises';
import { RecordType } from '../../../src/engine/format/format.ts';
import { encodeFrame, frameBytes } from '../../../src/engine/format/frame.ts';
import { segmentPath } from '../../../src/engine/format/segment-name.ts';
import { openStore, StoreError } from '../../../src/engine/index.ts';
import { MARK_FILE } from '../../../src/engine/lock/durable-mark.ts';
import { sealPath } from '../../../src/engine/seal/seal-file.ts';
import { intercept } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { InvariantBroken } from '../promises/invariants.ts';

/**
 * What crash states never do to seals: bit rot, files of other stores and of other times, sidecars
 * that were removed. Each throws `InvariantBroken`.
 */
export const SEAL_CORNERS: readonly (() => Promise<void>)[] = [
  ignoreSealOfAnotherSegment,
  ignoreSealOfAnotherStore,
  refuseSegmentOfAnotherTime,
  refuseMissingBeginning,
  refuseOtherBytes,
  readBehindSeal,
  trustSealWithoutMark,
  refuseRepeatedTxid,
  sealNothingUnsynced,
  hearOfFailedSealSync,
  ignoreDamagedSeals,
];

const DIRECTORY = '/store';
const REFUSED = 'STORE_CORRUPT';

/** Closed in order: segments 1 to 3 have seals, 4 is the active one. */
async function sealedStore(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (let segment = 1; segment <= 4; segment++) {
    for (let key = 0; key < 5; key++)
      store.put(`key-${(key + segment) % 7}`, `value ${segment}.${key}`);
    store.delete(`key-${segment}`);
    if (segment < 4) store.rotate();
  }
  await store.close();
  return fileSystem;
}

/** What a store holds, or the code of the error that it is refused with. */
async function contentsOf(
  fileSystem: MemoryFileSystem,
  open: 'full' | 'seals' = 'seals',
): Promise<string> {
  try {
    const store = await openStore(DIRECTORY, { fileSystem, open });
    return [...store.entries()].map(String).sort().join(' ');
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

async function expectContents(
  fileSystem: MemoryFileSystem,
  expected: string,
  when: string,
): Promise<void> {
  const found = await contentsOf(fileSystem);
  if (found === expected) return;
  throw new InvariantBroken(
    expected === REFUSED ? 'I5' : 'I12',
    `${when}, the store gives ${found}, and not ${expected}`,
  );
}

async function ignoreDamagedSeals(): Promise<void> {
  const fileSystem = await sealedStore();
  const expected = await contentsOf(fileSystem.afterProcessDeath());
  const sizeBytes = fileSystem.stat(sealPath(DIRECTORY, 2))?.sizeBytes ?? 0;
  for (let at = 0; at < sizeBytes; at++) {
    const damaged = fileSystem.afterProcessDeath();
    damaged.mutate(sealPath(DIRECTORY, 2), (bytes) => {
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      return bytes;
    });
    await expectContents(damaged, expected, `with a bit of byte ${at} of a seal flipped`);
  }
}

async function ignoreSealOfAnotherSegment(): Promise<void> {
  const fileSystem = await sealedStore();
  const expected = await contentsOf(fileSystem.afterProcessDeath());
  fileSystem.rename(sealPath(DIRECTORY, 1), sealPath(DIRECTORY, 2));
  await expectContents(
    fileSystem,
    expected,
    'with the seal of segment 1 under the name of that of segment 2',
  );
}

/** The segments are the same to the last byte; hashes of keys are not. */
async function ignoreSealOfAnotherStore(): Promise<void> {
  const [fileSystem, other] = [await sealedStore(), await sealedStore()];
  const expected = await contentsOf(fileSystem.afterProcessDeath());
  fileSystem.writeFile(sealPath(DIRECTORY, 2), other.readFile(sealPath(DIRECTORY, 2)));
  await expectContents(fileSystem, expected, 'with a seal of another store');
}

/** A copy of the store went its own way; one of its segments comes back, with its seal. */
async function refuseSegmentOfAnotherTime(): Promise<void> {
  const ours = await sealedStore();
  const theirs = ours.afterProcessDeath();
  for (const [fileSystem, value] of [
    [ours, 'ours'],
    [theirs, 'else'],
  ] as const) {
    const store = await openStore(DIRECTORY, { fileSystem });
    for (let count = 0; count < 3; count++) {
      store.put('key-0', value);
      store.rotate();
    }
    await store.close();
  }
  for (const path of [segmentPath(DIRECTORY, 5), sealPath(DIRECTORY, 5)])
    ours.writeFile(path, theirs.readFile(path));
  await expectContents(ours, REFUSED, 'with a segment of a copy that went its own way');
}

/** The mark is taken away, since it would tell as well. */
async function refuseMissingBeginning(): Promise<void> {
  const fileSystem = await sealedStore();
  for (const name of [MARK_FILE, '.lock']) fileSystem.remove(`${DIRECTORY}/${name}`);
  for (const path of [segmentPath(DIRECTORY, 1), sealPath(DIRECTORY, 1)]) fileSystem.remove(path);
  await expectContents(fileSystem, REFUSED, 'without its first segment');
}

/** Whole frames, with the txids that belong there, and not the ones that were sealed. */
async function refuseOtherBytes(): Promise<void> {
  const fileSystem = await sealedStore();
  fileSystem.mutate(segmentPath(DIRECTORY, 2), (bytes) => {
    encodeFrame(bytes, 0, RecordType.Put, 7, Buffer.from('key-2'), Buffer.from('value X.0'));
    return bytes;
  });
  const full = await contentsOf(fileSystem.afterProcessDeath(), 'full');
  if (full !== REFUSED)
    throw new InvariantBroken('I5', `a segment that is not the sealed one gives ${full}`);
  await expectContents(fileSystem, REFUSED, 'with another record at the start of a sealed segment');
}

/** datawal goes on in the last segment that it finds, and knows nothing of seals. */
async function readBehindSeal(): Promise<void> {
  const fileSystem = await sealedStore();
  for (const path of [segmentPath(DIRECTORY, 4), `${DIRECTORY}/${MARK_FILE}`, `${DIRECTORY}/.lock`])
    fileSystem.remove(path);
  const frame = Buffer.alloc(frameBytes(3, 6));
  encodeFrame(frame, 0, RecordType.Put, 19, Buffer.from('new'), Buffer.from('behind'));
  fileSystem.mutate(segmentPath(DIRECTORY, 3), (bytes) => Buffer.concat([bytes, frame]));
  const store = await openStore(DIRECTORY, { fileSystem });
  const found = store.get('new')?.toString();
  if (found !== 'behind')
    throw new InvariantBroken(
      'I2',
      `a record that was appended to a sealed segment is read as ${found}`,
    );
}

/** A seal is written once the next segment has a durable name. */
async function trustSealWithoutMark(): Promise<void> {
  const fileSystem = await sealedStore();
  for (const path of [segmentPath(DIRECTORY, 4), `${DIRECTORY}/${MARK_FILE}`, `${DIRECTORY}/.lock`])
    fileSystem.remove(path);
  await expectContents(
    fileSystem,
    REFUSED,
    'without a mark, and without the segment behind the last seal',
  );
}

/**
 * A record that comes behind a sealed segment has a higher txid than all that were ever in that.
 */
async function refuseRepeatedTxid(): Promise<void> {
  for (const merged of [false, true]) {
    const fileSystem = await sealedStore();
    if (merged) {
      const store = await openStore(DIRECTORY, { fileSystem });
      await store.compact({ deadRatio: 0 });
      await store.close();
    }
    for (const name of [MARK_FILE, '.lock']) fileSystem.remove(`${DIRECTORY}/${name}`);
    const names = fileSystem.list(DIRECTORY).filter((name) => name.endsWith('.dwal'));
    const frame = Buffer.alloc(frameBytes(5, 3));
    // The last record of segment 4 was a Delete, which a merge of everything has left out.
    encodeFrame(
      frame,
      0,
      RecordType.Put,
      merged ? 24 : 18,
      Buffer.from('key-0'),
      Buffer.from('old'),
    );
    fileSystem.mutate(`${DIRECTORY}/${names.sort().at(-1)}`, () => frame);
    await expectContents(
      fileSystem,
      REFUSED,
      `with a txid that was in a ${merged ? 'merged' : 'sealed'} segment`,
    );
  }
}

/** More than the sealer takes for a small segment. */
const TURNS = 20;

/** The sync of a segment takes long: until it returns there is no seal. */
async function sealNothingUnsynced(): Promise<void> {
  const inner = new MemoryFileSystem();
  let release = () => {};
  let held: Promise<void> | undefined;
  const fileSystem = intercept(inner, (call) => {
    const waits =
      held !== undefined && call.method === 'dataSyncAsync' && call.path.endsWith('.dwal');
    return waits ? held?.then(call.proceed) : call.proceed();
  });
  const store = await openStore(DIRECTORY, { fileSystem });
  held = new Promise((resolve) => {
    release = resolve;
  });
  store.put('key', 'value');
  store.rotate();
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  const early = inner.list(DIRECTORY).find((name) => name.endsWith('.seal'));
  release();
  await store.close();
  if (early !== undefined)
    throw new InvariantBroken('I8', `${early} is there, and its segment is not synced`);
}

/** A directory is synced for segments and for seals, and the kernel tells of a failure once. */
async function hearOfFailedSealSync(): Promise<void> {
  let renamed = false;
  const fileSystem = intercept(new MemoryFileSystem(), (call) => {
    if (call.method === 'rename' && call.path.endsWith('.seal.tmp')) renamed = true;
    if (!renamed || call.method !== 'directorySyncAsync') return call.proceed();
    renamed = false;
    return Promise.reject(systemError('EIO', call.method));
  });
  const store = await openStore(DIRECTORY, { fileSystem });
  store.put('key', 'value');
  store.rotate();
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  if (store.poisoned === undefined)
    throw new InvariantBroken(
      'I9',
      'writing goes on after a sync of the directory that failed for a seal',
    );
}
