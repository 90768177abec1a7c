import {
  openReader,
  openStore,
  type Store,
  StoreError,
  type StoreReader,
} from '../../../src/engine/index.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import type { RotCase } from './rot-cases.ts';
import {
  fileSystemWith,
  ROT_DIRECTORY,
  type RotRecord,
  type RotSubject,
  recordText,
  segmentNames,
} from './rot-subject.ts';

export type RotOutcome =
  /** A typed error. */
  | 'detected'
  /** It opens, and whatever reads the damage gets a typed error; the rest is right. */
  | 'detected when read'
  /** It opens, with everything that was there. */
  | 'unharmed'
  /** It opens with less, all of it unmarked, and says so. */
  | 'prefix'
  /** It opens with something else, which only a seal file would have told. */
  | 'undetected';

/** What a damaged store says of itself; no other error may come of damage. */
const TELLING: ReadonlySet<string> = new Set(['STORE_CORRUPT', 'AMBIGUOUS_TAIL', 'LOG_FULL']);

/** Opens a damaged store, reader first. Throws `InvariantBroken` when it shows what it must not. */
export async function judgeRot(damage: RotCase): Promise<RotOutcome> {
  const fileSystem = fileSystemWith(damage.files);
  let store: Store;
  try {
    store = await openStore(ROT_DIRECTORY, { fileSystem });
  } catch (error) {
    checkRefusal(error, damage);
    if (fileSystem.openDescriptorCount > 0)
      throw new InvariantBroken(
        'I10',
        `${fileSystem.openDescriptorCount} descriptors are left open`,
      );
    return 'detected';
  }
  let shown: string[];
  try {
    shown = recordsOf(store);
  } catch (error) {
    checkDamagedReads(error, store, damage);
    await store.close();
    await checkFullOpening(fileSystem);
    return 'detected when read';
  }
  checkPairs(store, shown);
  const outcome = judgeRecords(shown, damage);
  if (outcome === 'prefix' && store.recoveryReport.outcome === 'clean' && damage.least > 0)
    throw new InvariantBroken(
      'I5',
      `${damage.records.length - shown.length} records are gone without a word`,
    );
  await store.close();
  await checkAgain(fileSystem, shown);
  return outcome;
}

function checkRefusal(error: unknown, { mustOpen }: RotCase): void {
  if (!(error instanceof StoreError) || !TELLING.has(error.code))
    throw new InvariantBroken(
      'typed',
      `opening throws ${error instanceof Error ? error.stack : error}`,
    );
  if (mustOpen) throw new InvariantBroken('I2', `whole data is refused: ${error.message}`);
}

/**
 * A segment that a seal speaks for is not read by an opening, so that damage in it shows where it
 * is read, and only there.
 */
function checkDamagedReads(error: unknown, store: Store, { records, mustOpen }: RotCase): void {
  if (!(error instanceof StoreError) || !/_MISMATCH$/.test(error.code) || mustOpen) throw error;
  const put = new Map<string, Set<string>>();
  for (const { text } of records) {
    const [, type, pair] = text.split(' ') as [string, string, string];
    const [key, value] = pair.split('=') as [string, string];
    if (type === '1') put.set(key, (put.get(key) ?? new Set()).add(value));
  }
  for (const key of store.keys()) {
    try {
      const value = store.get(key);
      if (value !== undefined && put.get(hex(key))?.has(hex(value))) continue;
      throw new InvariantBroken(
        'I3',
        `${hex(key)} reads as ${value === undefined ? 'absent' : hex(value)}`,
      );
    } catch (failure) {
      if (!(failure instanceof StoreError) || !/_MISMATCH$/.test(failure.code)) throw failure;
    }
  }
}

async function checkFullOpening(fileSystem: ReturnType<typeof fileSystemWith>): Promise<void> {
  try {
    await openStore(ROT_DIRECTORY, { fileSystem, open: 'full' });
  } catch (error) {
    if (error instanceof StoreError && TELLING.has(error.code)) return;
    throw error;
  }
  throw new InvariantBroken('I5', 'a full opening takes damaged bytes for whole');
}

function recordsOf(view: Store | StoreReader): string[] {
  return [...view.scan()].map(recordText);
}

/** What the key-value view gives must be what the records say. */
function checkPairs(view: Store | StoreReader, records: readonly string[]): void {
  const expected = new Map<string, string>();
  for (const text of records) {
    const [, type, pair] = text.split(' ') as [string, string, string];
    const [key, value] = pair.split('=') as [string, string];
    if (type === '1') expected.set(key, value);
    if (type === '2') expected.delete(key);
  }
  const found = [...view.entries()].map(([key, value]) => [hex(key), hex(value)] as const);
  if (found.length !== expected.size || found.some(([key, value]) => expected.get(key) !== value))
    throw new InvariantBroken('I3', `the pairs ${found} are not what the records say`);
}

function judgeRecords(
  shown: readonly string[],
  { records, least, needsSeal }: RotCase,
): RotOutcome {
  const isPrefix = shown.every((text, index) => text === records[index]?.text);
  if (isPrefix && shown.length === records.length) return 'unharmed';
  if (isPrefix && shown.length >= least) return 'prefix';
  if (needsSeal) return 'undetected';
  const what = isPrefix
    ? `only ${shown.length} of ${least} durable records`
    : 'records that are no prefix';
  throw new InvariantBroken('I5', `opening shows ${what}`);
}

/** A second opening and a reader see the same: nothing comes back. */
async function checkAgain(
  fileSystem: ReturnType<typeof fileSystemWith>,
  shown: readonly string[],
): Promise<void> {
  const reader = await openReader(ROT_DIRECTORY, { fileSystem });
  const again = recordsOf(reader);
  await reader.close();
  if (again.join() !== shown.join())
    throw new InvariantBroken(
      'I6',
      `the next opening shows ${again.length} records, and not ${shown.length}`,
    );
}

/**
 * Bits that flip while the store is open: every read of what they hit is an error, and every other
 * read is right.
 */
export async function judgeLiveRot(subject: RotSubject, bits: readonly number[]): Promise<number> {
  const fileSystem = fileSystemWith(subject.files);
  const store = await openStore(ROT_DIRECTORY, { fileSystem });
  const pairs = [...store.entries()].map(([key, value]) => ({
    key,
    value,
    ref: store.refOf(key) as RotRecordRef,
  }));
  let flips = 0;
  for (const name of segmentNames(subject.files)) {
    const segmentId = Number.parseInt(name, 10);
    const path = `${ROT_DIRECTORY}/${name}`;
    const { sizeBytes } = fileSystem.stat(path) as { sizeBytes: number };
    const descriptor = fileSystem.open(path, 'write');
    const byte = Buffer.alloc(1);
    for (let offset = 0; offset < sizeBytes; offset++) {
      for (const bit of bits) {
        flips++;
        const flip = () => {
          fileSystem.read(descriptor, byte, 0, 1, offset);
          byte[0] = (byte[0] as number) ^ (1 << bit);
          fileSystem.write(descriptor, byte, 0, 1, offset);
        };
        flip();
        for (const pair of pairs) checkLiveRead(store, pair, { segmentId, offset, bit });
        flip();
      }
    }
    fileSystem.close(descriptor);
  }
  await store.close();
  return flips;
}

type RotRecordRef = Pick<RotRecord, 'segmentId' | 'offset' | 'byteLength'>;

function checkLiveRead(
  store: Store,
  { key, value, ref }: { key: Uint8Array; value: Uint8Array; ref: RotRecordRef },
  at: { segmentId: number; offset: number; bit: number },
): void {
  const isHit =
    ref.segmentId === at.segmentId &&
    ref.offset <= at.offset &&
    at.offset < ref.offset + ref.byteLength;
  const where = `${at.segmentId}:${at.offset} bit ${at.bit}`;
  let found: Uint8Array | undefined;
  try {
    found = store.get(key);
  } catch (error) {
    if (isHit && error instanceof StoreError && /_MISMATCH$/.test(error.code)) return;
    throw new InvariantBroken(
      'I5',
      `${where} flipped, and reading ${Buffer.from(key)} throws ${error}`,
    );
  }
  if (isHit || found === undefined || Buffer.compare(found, value) !== 0)
    throw new InvariantBroken(
      'I5',
      `${where} flipped, and ${Buffer.from(key)} reads as if nothing were wrong`,
    );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
