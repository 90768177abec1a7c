import { setImmediate as nextTurn } from 'node:timers/promises';
import { segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import type { LogHoldings } from '../lock/log-holdings.ts';
import { emptyAbsorbed } from '../seal/leftovers.ts';
import {
  isMerged,
  MERGE_COPY_SUFFIX,
  MERGE_SUFFIX,
  MERGE_TEMPORARY_SUFFIX,
  type Seal,
  sealPath,
} from '../seal/seal-file.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import type { SegmentReader } from '../segment/segment-reader.ts';
import type { LogScans } from './log-scans.ts';
import type { LogSync } from './log-sync.ts';
import type { SegmentSealer } from './segment-sealer.ts';

/**
 * Puts the output of a merge in the place of the contiguous run of sealed segments a..b that it was
 * made of. The output takes the id b; a..b-1 become empty files. The order of the steps, each
 * durable before the next, is what makes it safe:
 *
 * 1. (the caller) The output and its seal, `b.merge`, lie on disk under temporary names.
 * 2. The log is durable to its end, and both slots of the mark say so: that a record was left out
 *    because of a newer one must not rest on anything that a power cut could take. They also say
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
 */
export interface MergeHost {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly latch: PoisonLatch;
  readonly syncs: LogSync;
  /** The mark says, before the output is published, that it may be found in its place. */
  readonly holdings: LogHoldings;
  readonly reader: SegmentReader;
  readonly sealer: SegmentSealer;
  /** Ends the merge by throwing, while it can be ended. */
  readonly check: () => void;
  readonly scans: LogScans;
  /**
   * The log now consists of these where it did of the run; `sizeBytes` is 0 for those that are
   * empty.
   */
  readonly replaced: (segments: readonly LogSegment[]) => void;
}

export interface PreparedMerge {
  /** a..b, empty ones included. */
  readonly run: readonly LogSegment[];
  /** Of the output. */
  readonly seal: Seal;
  /** Number of the output's file. */
  readonly file: number;
  /** Points the keydir from the files of the run to the output. */
  readonly swap: () => Promise<void>;
}

export async function publishMerge(host: MergeHost, merge: PreparedMerge): Promise<void> {
  const { seal } = merge;
  host.holdings.beginMerge(idsOf(merge), {
    segmentId: seal.segmentId,
    sizeBytes: seal.byteLength,
    mergedDigest: isMerged(seal) ? seal.digest : undefined,
  });
  try {
    await publishAnnounced(host, merge);
  } finally {
    host.holdings.cancelMerge();
  }
}

function idsOf({ run }: PreparedMerge): number[] {
  return run.map(({ segmentId }) => segmentId);
}

async function publishAnnounced(host: MergeHost, merge: PreparedMerge): Promise<void> {
  const { fileSystem, directory, syncs, check } = host;
  const { segmentId } = merge.seal;
  await syncs.settle();
  check();
  fileSystem.rename(
    sealPath(directory, segmentId, MERGE_TEMPORARY_SUFFIX),
    sealPath(directory, segmentId, MERGE_SUFFIX),
  );
  await syncDirectory(host);
  check();
  const files = merge.run.map(({ segmentId: id }) => host.reader.files.fileOf(id));
  const held = files.filter((_file, index) => (merge.run[index] as LogSegment).sizeBytes > 0);
  try {
    for (const file of held) host.reader.pin(file);
    host.scans.openAhead(merge.run.map(({ segmentId: id }) => id));
  } catch (error) {
    await unpinAll(host, held);
    throw error;
  }
  try {
    fileSystem.rename(
      sealPath(directory, segmentId, MERGE_COPY_SUFFIX),
      segmentPath(directory, segmentId),
    );
  } catch (error) {
    await unpinAll(host, held);
    throw error;
  }
  try {
    await switchOver(host, merge);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw host.latch.close('WRITE_FAILED', 'the merge', error);
  }
  for (const { segmentId: id } of merge.run) host.reader.drop(id);
  await unpinAll(host, held);
}

async function unpinAll({ reader }: MergeHost, files: readonly number[]): Promise<void> {
  await Promise.all(files.map((file) => reader.unpin(file)));
}

async function switchOver(host: MergeHost, merge: PreparedMerge): Promise<void> {
  const { run, seal, file, swap } = merge;
  const { fileSystem, directory, reader, sealer, latch } = host;
  reader.files.replace(seal.segmentId, file);
  sealer.replace(seal);
  host.replaced(
    run.map(({ segmentId }) => ({
      segmentId,
      sizeBytes: segmentId === seal.segmentId ? seal.byteLength : 0,
    })),
  );
  await syncDirectory(host);
  host.holdings.endMerge(idsOf(merge));
  await swap();
  latch.check();
  fileSystem.rename(
    sealPath(directory, seal.segmentId, MERGE_SUFFIX),
    sealPath(directory, seal.segmentId),
  );
  await syncDirectory(host);
  latch.check();
  for (const segment of run) {
    if (segment.segmentId === seal.segmentId) continue;
    emptyAbsorbed(fileSystem, directory, [segment]);
    // Freeing the blocks of a seal takes a millisecond or two, and there may be fifteen.
    await nextTurn();
  }
  await syncDirectory(host);
}

/**
 * The kernel reports a failure once: a later sync of the directory could succeed without having
 * done anything.
 */
async function syncDirectory({ fileSystem, directory, latch }: MergeHost): Promise<void> {
  try {
    await fileSystem.directorySyncAsync(directory);
  } catch (error) {
    throw latch.close('SYNC_FAILED', 'the sync of a merge', error);
  }
}
