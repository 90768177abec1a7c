import type { ProbeSet } from '../host/probe-set.ts';
import type { PoolStats, SegmentReader } from '../segment/segment-reader.ts';
import type { LogScans } from './log-scans.ts';
import type { LogSync } from './log-sync.ts';
import type { LogWriter } from './log-writer.ts';
import type { SegmentSealer } from './segment-sealer.ts';

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
  readonly probeErrors: number;
}

/** What of an open log is counted. */
export interface CountedLog {
  readonly writer: LogWriter;
  readonly syncs: LogSync;
  readonly sealer: SegmentSealer;
  readonly reader: SegmentReader;
  readonly scans: LogScans;
  /** Files that a merge holds open. */
  readonly mergeDescriptors: number;
  readonly probe: ProbeSet | undefined;
}

/** The lock, two of the mark, two of the active segment. */
const OWN_DESCRIPTORS = 5;

/** The state of a log as it is now; `isClosing` once `close` was called. */
export function countLog(log: CountedLog, isClosing: boolean): LogStats {
  const { writer, syncs, sealer, reader, scans } = log;
  const pool = reader.poolStats;
  return {
    ...pool,
    segments: writer.sealed.length + 1,
    sealedBytes: writer.sealed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    activeBytes: writer.active.sizeBytes,
    openDescriptors: isClosing
      ? 0
      : OWN_DESCRIPTORS +
        2 * syncs.sealingCount +
        sealer.descriptorCount +
        pool.pooledDescriptors +
        scans.descriptorCount +
        log.mergeDescriptors,
    unwrittenSeals: syncs.sealingCount + sealer.pendingCount,
    unsyncedRecords: writer.unsyncedRecords,
    unsyncedBytes: writer.unsyncedBytes,
    syncWaiters: syncs.waiterCount,
    lastSyncedAtMs: syncs.lastSyncedAtMs,
    probeErrors: log.probe?.errors ?? 0,
  };
}
