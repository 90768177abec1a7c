import type { PoolStats } from '../segment/segment-reader.ts';

/** The lock, two of the mark, two of the active segment. */
export const OWN_DESCRIPTORS = 5;

export interface LogStats extends PoolStats {
  readonly segments: number;
  readonly sealedBytes: number;
  readonly activeBytes: number;
  /**
   * Files that this log holds open: lock, two of the mark, two a segment being written or synced, a
   * seal being written and its segment, the read pool, scans, merges.
   */
  readonly openDescriptors: number;
  /** Sealed segments whose seal files are not written yet. */
  readonly unwrittenSeals: number;
  readonly unsyncedRecords: number;
  readonly unsyncedBytes: number;
  readonly syncWaiters: number;
  /** Wall-clock milliseconds; undefined before the first sync. */
  readonly lastSyncedAtMs: number | undefined;
  /**
   * Does a kernel lock keep other writers out? False where the native addon or the file system has
   * none: then only the lease does, which a writer that is stopped for ten seconds loses.
   */
  readonly kernelLock: boolean;
  readonly probeErrors: number;
}
