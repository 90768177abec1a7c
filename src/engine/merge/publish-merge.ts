import { segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { Turns } from '../host/turns.ts';
import type { Keydir } from '../keydir/keydir.ts';
import type { OpenLog } from '../log/open-log.ts';
import {
  isMerged,
  MERGE_COPY_SUFFIX,
  MERGE_SUFFIX,
  MERGE_TEMPORARY_SUFFIX,
  type Seal,
  sealPath,
} from '../seal/seal-file.ts';
import { HintReader } from '../seal/seal-hints.ts';
import { emptyAbsorbed } from '../seal/unfinished-work.ts';
import type { LogSegment } from '../segment/segment-list.ts';

/** Work between two turns of the event loop; moving one key counts as so many bytes of it. */
const BYTES_PER_TURN = 128 * 1024;
const MOVE_WORK_BYTES = 32;

/** A merge whose output and seal are durable under temporary names. */
export interface PreparedMerge {
  /** The segments a..b, empty ones included. */
  readonly run: readonly LogSegment[];
  /** The numbers of their files. */
  readonly inputs: ReadonlySet<number>;
  /** The number of the output's file. */
  readonly output: number;
  /** The seal of the output. */
  readonly seal: Seal;
}

/**
 * Puts the output of a merge in the place of the contiguous run of sealed segments a..b that it was
 * made of. The output takes the id b; a..b-1 become empty files. The order of the steps, each
 * durable before the next, is what makes it safe:
 *
 * 1. (`Merge`) The output and its seal, `b.merge`, lie on disk under temporary names.
 * 2. The log is made durable to its end, and both slots of the mark say so: a record that was left
 *    out because of a newer one is lost if a power cut takes the newer one. Both slots also say
 *    what the log holds with the output in its place: from here to step 5 either may be found.
 * 3. `b.merge` gets its name. From here on an opening knows of the merge: while segment b is what
 *    `b.seal` says it undoes it, and once segment b is what `b.merge` says it finishes it.
 * 4. The output is renamed over segment b. There is no way back.
 * 5. The keydir is pointed to the output, and `b.merge` renamed over `b.seal`, which now says that
 *    it covers a..b.
 * 6. Empty files are renamed over a..b-1, and their seals removed. Until then any of them may
 *    survive a power cut: they come before b, and everything that counts in them is in b.
 * 7. The old files are closed when the reads in flight have ended.
 *
 * No deleted key can come back. A Delete is left out of the output only where a newer record of its
 * key is durable, or where it lay in the lowest segment that holds anything: then every older Put
 * of its key was in that same file, which is wholly there or wholly gone.
 *
 * `check` throws where the merge is to end early, which it can up to step 4.
 */
export async function publishMerge(
  log: OpenLog,
  keydir: Keydir,
  merge: PreparedMerge,
  check: () => void,
): Promise<void> {
  const { seal } = merge;
  log.holdings.beginMerge(idsOf(merge), {
    segmentId: seal.segmentId,
    sizeBytes: seal.byteLength,
    mergedDigest: isMerged(seal) ? seal.digest : undefined,
  });
  try {
    await publishAnnounced(log, keydir, merge, check);
  } finally {
    log.holdings.cancelMerge();
  }
}

function idsOf({ run }: PreparedMerge): number[] {
  return run.map(({ segmentId }) => segmentId);
}

async function publishAnnounced(
  log: OpenLog,
  keydir: Keydir,
  merge: PreparedMerge,
  check: () => void,
): Promise<void> {
  const { fileSystem, directory } = log.files;
  const { reader } = log;
  const { segmentId } = merge.seal;
  await log.syncs.settle();
  check();
  fileSystem.rename(
    sealPath(directory, segmentId, MERGE_TEMPORARY_SUFFIX),
    sealPath(directory, segmentId, MERGE_SUFFIX),
  );
  await syncDirectory(log);
  check();
  const files = merge.run.map(({ segmentId: id }) => reader.files.fileOf(id));
  const held = files.filter((_file, index) => (merge.run[index] as LogSegment).sizeBytes > 0);
  try {
    for (const file of held) reader.pin(file);
    log.scans.openAhead(merge.run.map(({ segmentId: id }) => id));
  } catch (error) {
    await unpinAll(log, held);
    throw error;
  }
  try {
    fileSystem.rename(
      sealPath(directory, segmentId, MERGE_COPY_SUFFIX),
      segmentPath(directory, segmentId),
    );
  } catch (error) {
    await unpinAll(log, held);
    throw error;
  }
  try {
    await switchOver(log, keydir, merge);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw log.latch.close('WRITE_FAILED', 'the merge', error);
  }
  for (const { segmentId: id } of merge.run) reader.drop(id);
  await unpinAll(log, held);
}

async function unpinAll({ reader }: OpenLog, files: readonly number[]): Promise<void> {
  await Promise.all(files.map((file) => reader.unpin(file)));
}

async function switchOver(log: OpenLog, keydir: Keydir, merge: PreparedMerge): Promise<void> {
  const { reader, sealer, latch, tail } = log;
  const { fileSystem, directory } = log.files;
  const { run, seal } = merge;
  const turns = new Turns(BYTES_PER_TURN);
  reader.files.replace(seal.segmentId, merge.output);
  sealer.replace(seal);
  tail.replace(
    run.map(({ segmentId }) => ({
      segmentId,
      sizeBytes: segmentId === seal.segmentId ? seal.byteLength : 0,
    })),
  );
  await syncDirectory(log);
  log.holdings.endMerge(idsOf(merge));
  await moveKeys(log, keydir, merge, turns);
  latch.check();
  fileSystem.rename(
    sealPath(directory, seal.segmentId, MERGE_SUFFIX),
    sealPath(directory, seal.segmentId),
  );
  await syncDirectory(log);
  latch.check();
  for (const segment of run) {
    if (segment.segmentId === seal.segmentId) continue;
    emptyAbsorbed(log.files, [segment]);
    // Freeing the blocks of a seal takes a millisecond or two, and there may be fifteen.
    await turns.next();
  }
  await syncDirectory(log);
}

/**
 * Points the keydir to the output, in slices: until then what was not moved yet is read from the
 * old files.
 */
async function moveKeys(
  { files }: OpenLog,
  keydir: Keydir,
  { seal, inputs, output }: PreparedMerge,
  turns: Turns,
): Promise<void> {
  if (seal.hintCount === 0) return;
  const path = sealPath(files.directory, seal.segmentId, MERGE_SUFFIX);
  await files.use(path, 'read', async (file) => {
    const chunk = HintReader.chunkFor([seal]);
    const hint = new HintReader(file, seal, chunk);
    while (hint.next()) {
      if (!hint.isDelete) keydir.move(hint, inputs, output);
      if (turns.isDue(MOVE_WORK_BYTES)) await turns.next();
    }
  });
}

/**
 * The kernel reports a failure once: a later sync of the directory could succeed without having
 * done anything.
 */
async function syncDirectory({ files, latch }: OpenLog): Promise<void> {
  try {
    await files.fileSystem.directorySyncAsync(files.directory);
  } catch (error) {
    throw latch.close('SYNC_FAILED', 'the sync of a merge', error);
  }
}
