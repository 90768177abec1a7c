import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { StoreFiles } from '../host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../host/turns.ts';
import { judgeContents, readDirectory } from '../recovery/directory-contents.ts';
import type { Contradiction } from '../recovery/directory-evidence.ts';
import { markNotes, type ReportedMark, reportMark } from '../recovery/recovery-report.ts';
import { DirectoryStamp } from '../seal/directory-stamp.ts';

/** What lies in the directory of a store, and whether it agrees with itself. */
export interface StoreSurvey {
  /** The log as it consists of them, ascending. */
  readonly segments: readonly SurveyedSegment[];
  /** Null when there is none. */
  readonly durableMark: ReportedMark | null;
  /** What seals, mark and listing say of each other that cannot be; an opening refuses these. */
  readonly contradictions: readonly Contradiction[];
  /** Sentences on what counts for nothing: damaged sidecars, names that are no segments. */
  readonly notes: readonly string[];
}

export interface SurveyedSegment {
  readonly segmentId: number;
  /** Bytes that count; 0 for a segment that a merge has absorbed, whatever it still holds. */
  readonly sizeBytes: number;
  /** Is there a valid seal file of this store that is about it? */
  readonly hasSeal: boolean;
}

const ATTEMPTS = 6;
const RETRY_MS = 5;

/**
 * Looks at a directory without the lock, and without reading the segments, as every opening does
 * first. Changes nothing. A writer may be at work: the look is repeated until nothing was replaced
 * meanwhile.
 *
 * Throws `NOT_FOUND`, `NOT_A_DIRECTORY`, `PERMISSION_DENIED`, `IO_FAILED`, or `SNAPSHOT_GONE` when
 * segments are replaced faster than that.
 */
export async function surveyStore(
  directory: string,
  fileSystem: FileSystem = new NodeFileSystem(),
): Promise<StoreSurvey> {
  const path = resolve(directory);
  try {
    const stat = fileSystem.stat(path);
    if (stat === undefined)
      throw new StoreError('NOT_FOUND', `there is no store in ${path}`, { path });
    if (stat.kind !== 'directory')
      throw new StoreError('NOT_A_DIRECTORY', `a store is a directory, and ${path} is not one`, {
        path,
      });
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const stamp = new DirectoryStamp(fileSystem, path);
      const survey = await surveyOnce(fileSystem, path);
      const isSettled = !stamp.hasChanged();
      const isExplained = survey.contradictions.length > 0 && stamp.isMerging();
      if (isSettled && (!isExplained || attempt === ATTEMPTS)) return survey;
      await delay(RETRY_MS * 2 ** attempt);
    }
  } catch (error) {
    throw wrapSystemError(error, 'look at the store', path);
  }
  throw new StoreError(
    'SNAPSHOT_GONE',
    `segments of ${path} are replaced faster than they can be read`,
    { path },
  );
}

async function surveyOnce(fileSystem: FileSystem, directory: string): Promise<StoreSurvey> {
  const turns = new Turns(OPENING_SLICE_BYTES);
  const contents = await readDirectory(new StoreFiles(fileSystem, directory), turns);
  const { seals, witnessed, damagedSlots } = contents;
  const { contradictions } = await judgeContents(contents, turns);
  const durableMark = reportMark(contents.mark?.mark, witnessed);
  return {
    segments: contents.segments.map(({ segmentId, sizeBytes }) => ({
      segmentId,
      sizeBytes,
      hasSeal: seals.of(segmentId) !== undefined,
    })),
    durableMark,
    contradictions,
    notes: [...markNotes(damagedSlots, durableMark), ...contents.notes],
  };
}
