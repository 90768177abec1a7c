import { crc32c } from '../../../src/engine/format/crc32c.ts';
import { segmentPath } from '../../../src/engine/format/segment-name.ts';
import {
  openReader,
  openStore,
  type SalvageReport,
  StoreError,
  salvage,
} from '../../../src/engine/index.ts';
import { MARK_FILE } from '../../../src/engine/lock/durable-mark.ts';
import { SEAL_HEADER_BYTES, sealPath } from '../../../src/engine/seal/seal-file.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { judgePair } from '../rot/rot-pair-check.ts';
import { pairSubjects } from '../rot/rot-pair-subjects.ts';
import { pairsOf, removals } from '../rot/rot-pairs.ts';
import { fileSystemWith } from '../rot/rot-subject.ts';

/** Two files damaged instead of one, files put back, and copies of a directory that went on. */
export const EVIDENCE_CORNERS: readonly (() => Promise<void>)[] = [
  refusePairsOfDamage,
  askNextSealWithoutMark,
  missSealedSegmentsWithoutMark,
  refuseMarkInsideMerge,
  tellOutputFromEarlierOfItsLength,
  sealMergedSegmentAgain,
  scrubBesideForeignSeals,
  rescueWhatIsNewest,
  rescueInOrder,
  rescueFromKilledMerges,
];

const DIRECTORY = '/store';

/** The rot campaign does it to more stores; here to those that differ most. */
async function refusePairsOfDamage(): Promise<void> {
  const { atRest } = await pairSubjects();
  for (const subject of atRest) {
    if (subject.name.startsWith('killed in a merge')) continue;
    for (const pair of [...pairsOf(subject), ...removals(subject)]) {
      await judgePair(subject, pair).catch((error: Error) => {
        throw new InvariantBroken('I5', `${subject.name}, ${pair.what}: ${error.message}`);
      });
    }
  }
}

/** Segments of equal length, every key overwritten: merges leave outputs of that length again. */
async function storeOf(segments: number): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (let segment = 0; segment < segments; segment++) {
    if (segment > 0) store.rotate();
    for (let key = 0; key < 4; key++) store.put(`key-${segment}-${key}`, `value ${segment}`);
  }
  await store.close();
  return fileSystem;
}

async function expectRefused(fileSystem: MemoryFileSystem, when: string): Promise<void> {
  try {
    const store = await openStore(DIRECTORY, { fileSystem });
    await store.close();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_CORRUPT') return;
    throw error;
  }
  throw new InvariantBroken('I5', `${when}, the store opens`);
}

function withoutMark(fileSystem: MemoryFileSystem): void {
  for (const name of [MARK_FILE, '.lock']) fileSystem.remove(`${DIRECTORY}/${name}`);
}

async function askNextSealWithoutMark(): Promise<void> {
  const fileSystem = await storeOf(4);
  withoutMark(fileSystem);
  fileSystem.remove(sealPath(DIRECTORY, 2));
  fileSystem.mutate(segmentPath(DIRECTORY, 2), (bytes) => bytes.subarray(0, bytes.length / 2));
  await expectRefused(fileSystem, 'without a mark, a segment cut and its seal gone');
}

async function missSealedSegmentsWithoutMark(): Promise<void> {
  const fileSystem = await storeOf(4);
  withoutMark(fileSystem);
  for (const id of [1, 2, 3]) fileSystem.remove(segmentPath(DIRECTORY, id));
  await expectRefused(fileSystem, 'without a mark, and all segments gone that have seals');
}

/** Makes what a copy holds that took the mark first, and the segments after a merge. */
async function refuseMarkInsideMerge(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  store.put('key', 'durable');
  store.put('other', 'value');
  await store.sync();
  const mark = fileSystem.readFile(`${DIRECTORY}/${MARK_FILE}`);
  store.put('stays', Buffer.alloc(200));
  store.put('key', 'newer, in this segment as well');
  store.rotate();
  store.put('key', 'in the next segment');
  await store.compact({ deadRatio: 0 });
  store.put('end', '');
  await store.close();
  const merged = fileSystem
    .list(DIRECTORY)
    .filter((name) => name.endsWith('.seal'))
    .sort();
  fileSystem.writeFile(`${DIRECTORY}/${MARK_FILE}`, mark);
  for (const name of merged.slice(1)) {
    fileSystem.remove(`${DIRECTORY}/${name}`);
    fileSystem.mutate(segmentPath(DIRECTORY, Number(name.slice(0, 8))), () => Buffer.alloc(0));
  }
  await expectRefused(fileSystem, 'with a mark from before a merge of its segment');
}

/** The output takes the id, and by chance the length, of a segment that was there before. */
async function tellOutputFromEarlierOfItsLength(): Promise<void> {
  const fileSystem = await storeOf(3);
  const before = [2, 1].map((id) => ({
    id,
    segment: fileSystem.readFile(segmentPath(DIRECTORY, id)),
    seal: fileSystem.readFile(sealPath(DIRECTORY, id)),
  }));
  const store = await openStore(DIRECTORY, { fileSystem });
  // Half of each of the first two segments is overwritten.
  for (const segment of [0, 1])
    for (const key of [0, 1]) store.put(`key-${segment}-${key}`, `value ${segment}`);
  await store.compact({ deadRatio: 0.4 });
  await store.close();
  const [earlier] = before;
  if (earlier === undefined) return;
  const now = fileSystem.stat(segmentPath(DIRECTORY, earlier.id))?.sizeBytes;
  if (now !== earlier.segment.length)
    throw new InvariantBroken('I12', `the output has ${now} bytes, and not as many as before`);
  fileSystem.writeFile(segmentPath(DIRECTORY, earlier.id), earlier.segment);
  fileSystem.writeFile(sealPath(DIRECTORY, earlier.id), earlier.seal);
  await expectRefused(fileSystem, 'with a segment of before a merge that is as long as its output');
}

async function sealMergedSegmentAgain(): Promise<void> {
  const fileSystem = await storeOf(3);
  const store = await openStore(DIRECTORY, { fileSystem });
  for (const segment of [0, 1])
    for (const key of [0, 1]) store.put(`key-${segment}-${key}`, `value ${segment}`);
  await store.compact({ deadRatio: 0.4 });
  await store.close();
  for (const name of fileSystem.list(DIRECTORY))
    if (name.endsWith('.seal')) fileSystem.remove(`${DIRECTORY}/${name}`);
  for (let opening = 1; opening <= 3; opening++) {
    const again = await openStore(DIRECTORY, { fileSystem });
    const { size } = again;
    await again.close();
    if (size !== 12) throw new InvariantBroken('I12', `opening ${opening} shows ${size} keys`);
  }
}

/** Openings ignore them, and so does a scrub. */
async function scrubBesideForeignSeals(): Promise<void> {
  const [ours, theirs] = [await storeOf(3), await storeOf(4)];
  const path = sealPath(DIRECTORY, 2);
  // Of other bytes than those that stand there.
  ours.writeFile(path, theirs.readFile(sealPath(DIRECTORY, 3)));
  ours.mutate(path, (bytes) => {
    for (const at of [8, 12]) bytes.writeUInt32LE(2, at);
    return withHeaderCrc(bytes);
  });
  // A writer would write another seal.
  const reader = await openReader(DIRECTORY, { fileSystem: ours });
  const { damages } = await reader.verify();
  await reader.close();
  const worse = damages.find(({ what }) => what !== 'foreign-seal');
  if (worse !== undefined)
    throw new InvariantBroken('I12', `a scrub finds ${worse.what} where an opening finds nothing`);
}

function withHeaderCrc(seal: Buffer): Buffer {
  const at = SEAL_HEADER_BYTES - 4;
  seal.writeUInt32LE(crc32c(seal.subarray(0, at)), at);
  return seal;
}

async function rescued(fileSystem: MemoryFileSystem): Promise<{
  readonly report: SalvageReport;
  readonly shown: string;
  /** The values of all records, in log order. */
  readonly written: readonly string[];
}> {
  const target = '/rescued';
  const report = await salvage(DIRECTORY, target, { fileSystem });
  const store = await openStore(target, { fileSystem });
  const shown = [...store.entries()].map(String).sort().join(' ');
  const written = [...store.scan()].map(({ payload }) => String(payload));
  await store.close();
  return { report, shown, written };
}

/** Four versions of the same keys, a segment for each. */
async function versions(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (let version = 1; version <= 4; version++) {
    if (version > 1) store.rotate();
    for (let key = 0; key < 3; key++) store.put(`key-${key}`, `version ${version}`);
  }
  await store.close();
  return fileSystem;
}

/** Segments that changed names, and one that was copied over another. */
async function rescueWhatIsNewest(): Promise<void> {
  const original = await versions();
  const { shown } = await rescued(original.afterProcessDeath());
  const bytesOf = (id: number) => Buffer.from(original.readFile(segmentPath(DIRECTORY, id)));
  for (const [to, from, count, isLost] of [
    [4, 1, 12, false],
    [3, 2, 9, true],
  ] as const) {
    const fileSystem = original.afterProcessDeath();
    fileSystem.writeFile(segmentPath(DIRECTORY, to), bytesOf(from));
    if (!isLost) fileSystem.writeFile(segmentPath(DIRECTORY, from), bytesOf(to));
    const { report, shown: kept } = await rescued(fileSystem);
    if (kept !== shown || report.recordsKept !== count)
      throw new InvariantBroken('I3', `salvage keeps ${report.recordsKept} records, and ${kept}`);
    const isNamed = report.lost.some(({ bySeal }) => bySeal?.recordCount === 3);
    const isHeld = report.contradictions.some(({ damage }) => damage === 'contradicts-seal');
    if (isNamed !== isLost || !isHeld)
      throw new InvariantBroken('I5', 'salvage does not say what is lost, or what contradicts');
  }
}

async function rescueInOrder(): Promise<void> {
  const original = await versions();
  const fileSystem = original.afterProcessDeath();
  for (const id of [1, 2, 3, 4]) {
    const bytes = Buffer.from(original.readFile(segmentPath(DIRECTORY, (id % 4) + 1)));
    fileSystem.writeFile(segmentPath(DIRECTORY, id), bytes);
  }
  const { written } = await rescued(fileSystem);
  if (written.join() !== [...written].sort().join())
    throw new InvariantBroken('I3', `salvage writes ${written.join()}, in this order`);
}

/** Nothing is lost in any of its states, and nothing that was deleted comes back. */
async function rescueFromKilledMerges(): Promise<void> {
  const { atRest } = await pairSubjects();
  for (const { name, files, states } of atRest) {
    if (!name.startsWith('killed in a merge')) continue;
    const fileSystem = fileSystemWith(files);
    const { report, shown } = await rescued(fileSystem);
    const wanted = [...(states.at(-1) ?? [])].map(String).sort().join(' ');
    if (shown !== wanted) throw new InvariantBroken('I3', `${name}: salvage gives ${shown}`);
    if (report.lostCount + report.contradictions.length > 0)
      throw new InvariantBroken('I12', `${name}: salvage finds something wrong`);
  }
}
