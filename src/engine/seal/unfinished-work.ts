import { join } from 'node:path';
import { segmentPath } from '../format/segment-name.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import {
  digestOf,
  MERGE_COPY_SUFFIX,
  MERGE_SUFFIX,
  MERGE_TEMPORARY_SUFFIX,
  parseSealName,
  readSeal,
  SEAL_TEMPORARY_SUFFIX,
  type Seal,
  sealPath,
} from './seal-file.ts';
import type { SealSet } from './seal-set.ts';

/**
 * What an earlier process has begun and did not live to finish: seals, and merges (their steps are
 * told in publish-merge.ts); and what the log is once these are undone or finished. Finding it
 * changes nothing on disk.
 */
export interface UnfinishedWork {
  /**
   * The seals, with those of outputs that stand in their places, and without those of what these
   * have absorbed.
   */
  readonly seals: SealSet;
  /** Those that were absorbed are empty here, whatever they still hold on disk. */
  readonly segments: readonly LogSegment[];
  /** Seals of outputs that stand in their places, still under another name. */
  readonly unnamed: readonly Seal[];
  /** Segments that still hold bytes or have a seal, although they were absorbed. */
  readonly absorbed: readonly LogSegment[];
  /** Names of files that nobody needs any more. */
  readonly stale: readonly string[];
}

export async function findUnfinishedWork(
  files: StoreFiles,
  found: SealSet,
  segments: readonly LogSegment[],
  turns: Turns,
): Promise<UnfinishedWork> {
  const unnamed: Seal[] = [];
  const stale: string[] = [];
  for (const name of files.fileSystem.list(files.directory)) {
    const merged = parseSealName(name, MERGE_SUFFIX);
    if (merged === undefined) {
      if (isTemporary(name)) stale.push(name);
      continue;
    }
    const seal = await readSeal(files, merged, turns, MERGE_SUFFIX);
    if (seal instanceof Object && (await isInPlace(files, seal, segments, turns)))
      unnamed.push(seal);
    else stale.push(name);
  }
  const seals = found.withMerged(unnamed);
  const covered = seals.covered(segments.map(({ segmentId }) => segmentId));
  const absorbed = segments.filter(
    ({ segmentId, sizeBytes }) =>
      covered.has(segmentId) && (sizeBytes > 0 || seals.of(segmentId) !== undefined),
  );
  return {
    seals: seals.without(absorbed.map(({ segmentId }) => segmentId)),
    segments: segments.map((segment) =>
      covered.has(segment.segmentId) ? { ...segment, sizeBytes: 0 } : segment,
    ),
    unnamed,
    absorbed,
    stale,
  };
}

/**
 * Undoes or finishes what was begun, each step durable before the next. Returns lines for the
 * report.
 */
export async function clearUnfinishedWork(
  files: StoreFiles,
  { unnamed, absorbed, stale }: UnfinishedWork,
  turns: Turns,
): Promise<string[]> {
  const { fileSystem, directory } = files;
  const notes: string[] = [];
  for (const name of stale) {
    fileSystem.remove(join(directory, name));
    notes.push(`removed ${name}, of something that an earlier process did not finish`);
    await turns.after(FILE_WORK_BYTES);
  }
  if (unnamed.length > 0 || absorbed.length > 0) {
    // What was renamed by a process that died may still be lost, and must not be lost alone.
    fileSystem.directorySync(directory);
    for (const { segmentId, firstId } of unnamed) {
      fileSystem.rename(
        sealPath(directory, segmentId, MERGE_SUFFIX),
        sealPath(directory, segmentId),
      );
      notes.push(
        `finished the merge of segments ${firstId} to ${segmentId} that an earlier process had begun`,
      );
    }
    fileSystem.directorySync(directory);
    for (const segment of absorbed) {
      emptyAbsorbed(files, [segment]);
      await turns.after(FILE_WORK_BYTES);
    }
    fileSystem.directorySync(directory);
    if (absorbed.length > 0) {
      notes.push(
        `emptied ${absorbed.length} segments whose records a merge had copied, every one that counts`,
      );
    }
  }
  return notes;
}

/**
 * Puts empty files in the place of segments that a merge has absorbed; the caller syncs the
 * directory.
 */
export function emptyAbsorbed(files: StoreFiles, segments: readonly LogSegment[]): void {
  const { fileSystem, directory } = files;
  for (const { segmentId, sizeBytes } of segments) {
    if (sizeBytes > 0) {
      const empty = sealPath(directory, segmentId, MERGE_COPY_SUFFIX);
      if (fileSystem.stat(empty) !== undefined) fileSystem.remove(empty);
      files.useNow(empty, 'create', () => {});
      fileSystem.rename(empty, segmentPath(directory, segmentId));
    }
    const seal = sealPath(directory, segmentId);
    if (fileSystem.stat(seal) !== undefined) fileSystem.remove(seal);
  }
}

const TEMPORARY_SUFFIXES = [SEAL_TEMPORARY_SUFFIX, MERGE_TEMPORARY_SUFFIX, MERGE_COPY_SUFFIX];

function isTemporary(name: string): boolean {
  return TEMPORARY_SUFFIXES.some((suffix) => parseSealName(name, suffix) !== undefined);
}

/** Does the output that this seal is about stand under its name? */
async function isInPlace(
  files: StoreFiles,
  { segmentId, byteLength, digest }: Seal,
  segments: readonly LogSegment[],
  turns: Turns,
): Promise<boolean> {
  const segment = segments.find((one) => one.segmentId === segmentId);
  if (segment?.sizeBytes !== byteLength) return false;
  return files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {
    return (await digestOf(file, byteLength, turns))?.equals(digest) ?? false;
  });
}
