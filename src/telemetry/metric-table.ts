/**
 * Every metric family, in one table: what is exported, what docs/telemetry.md must tell, and what
 * dashboards may use.
 */
export interface MetricFamily {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Besides `store`, which every family has. */
  readonly labels: readonly string[];
  readonly help: string;
}

const counter = (name: string, help: string, ...labels: string[]): MetricFamily => ({
  name: `tidemark_${name}_total`,
  kind: 'counter',
  labels,
  help,
});

const gauge = (name: string, help: string, ...labels: string[]): MetricFamily => ({
  name: `tidemark_${name}`,
  kind: 'gauge',
  labels,
  help,
});

const histogram = (name: string, help: string, ...labels: string[]): MetricFamily => ({
  name: `tidemark_${name}_duration_seconds`,
  kind: 'histogram',
  labels,
  help,
});

export const METRIC_FAMILIES: readonly MetricFamily[] = [
  counter('gets', 'Gets, by whether the key was live.', 'result'),
  counter('puts', 'Puts, those of batches included.'),
  counter('deletes', 'Deletes, those of batches included.'),
  counter(
    'operation_errors',
    'Operations that failed, by operation and error code.',
    'operation',
    'code',
  ),
  counter('preads', 'Reads from segments, by what they were for.', 'site'),
  counter('pread_bytes', 'Bytes read from segments.', 'site'),
  counter(
    'crc_validations',
    'Checksums verified, by what for and with what outcome.',
    'site',
    'outcome',
  ),
  counter('writes', 'Write calls to segments.'),
  counter('appended_bytes', 'Bytes of frames appended.'),
  counter('user_bytes', 'Bytes of keys and values appended; what is beyond them is the format.'),
  counter('syncs', 'Completed syncs of the log.'),
  counter('sync_waiters', 'Callers that a completed sync acknowledged.'),
  counter('write_stalls', 'Writes that had to wait for a sync, by why.', 'reason'),
  counter('rotations', 'Segments that were rotated away from.'),
  counter('seals', 'Seal files, by what became of them.', 'outcome'),
  counter('compactions', 'Compactions, by outcome.', 'outcome'),
  counter('compaction_bytes', 'Bytes that compactions read and wrote.', 'direction'),
  counter('verifications', 'Scrubs, by outcome.', 'outcome'),
  counter('verified_bytes', 'Bytes of segments that scrubs read.'),
  counter('backups', 'Backups, by outcome.', 'outcome'),
  counter('backup_bytes', 'Bytes of segments put into backups, by how.', 'way'),
  counter('corruptions', 'Damage met, by error code.', 'kind'),
  counter('truncated_bytes', 'Bytes of torn tails cut off while opening.'),
  counter('recoveries', 'Openings, by outcome.', 'outcome'),
  counter('fd_pool_hits', 'Reads that found their segment open.'),
  counter('fd_pool_misses', 'Reads that had to open their segment.'),
  counter('fd_pool_evictions', 'Descriptors closed to make room for another.'),
  counter('lease_losses', 'Times the lease beside the kernel lock was lost.'),
  counter('spans', 'Spans, by what they are of and what became of them.', 'span', 'disposition'),
  counter('probe_errors', 'Exceptions thrown by probes and ignored.'),
  gauge('keys', 'Live keys.'),
  gauge('keydir_bytes', 'Memory of the keydir, outside the V8 heap.'),
  gauge('open_fds', 'Files the store holds open.'),
  gauge('poisoned', '1 once a write or a sync has failed, until the store is reopened.'),
  gauge(
    'kernel_lock',
    '1 where a kernel lock keeps other writers out, 0 where only the lease does.',
  ),
  gauge('segments', 'Segments, by state.', 'state'),
  gauge('segment_bytes', 'Bytes of segments: of live frames, and of all others.', 'kind'),
  gauge('unsynced_bytes', 'Bytes appended that a power cut could take.'),
  gauge('unsynced_records', 'Records appended that a power cut could take.'),
  gauge('sync_waiting', 'Callers waiting for a sync.'),
  gauge(
    'last_sync_timestamp_seconds',
    'When the last sync completed, in seconds since 1970; 0 before the first.',
  ),
  histogram('get', 'Time of a get; one in 17 is timed and stands for the others.'),
  histogram('put', 'Time of a put or a delete.'),
  histogram('pread', "Time of a get's pread; one in 17 is timed and stands for the others."),
  histogram(
    'crc_validate',
    "Time of a get's checksum; one in 17 is timed and stands for the others.",
  ),
  histogram('sync', 'Time of a sync of the log.'),
  histogram('recovery', 'Time of an opening.'),
  histogram('compaction', 'Time of a compaction.'),
  histogram('write_stall', 'Time that writes waited for a sync.'),
];
