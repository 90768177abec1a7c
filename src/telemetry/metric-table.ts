import type { ProbeGauges } from '../engine/index.ts';
import type { DurationHistogram } from './duration-histogram.ts';
import { byLabel, type LabelledCounter, plain, type Sample } from './samples.ts';
import { SPAN_DISPOSITIONS, SPAN_KINDS, type SpanCounting } from './span-counts.ts';
import { SITES, type StoreMetrics } from './store-metrics.ts';

/** What is exported, what docs/telemetry.md must tell, and what dashboards may use. */
export interface MetricFamily {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Besides `store`, which every family has. */
  readonly labels: readonly string[];
  readonly help: string;
}

/** A family, and how its samples are read from what a store's probe has counted. */
export interface Metric extends MetricFamily {
  readonly samplesOf: (metrics: StoreMetrics) => readonly Sample[];
}

type Reading = number | LabelledCounter | readonly Sample[];

function counter(
  name: string,
  help: string,
  labels: readonly string[],
  read: (metrics: StoreMetrics) => Reading,
): Metric {
  const samplesOf = (metrics: StoreMetrics) => toSamples(read(metrics));
  return { name: `tidemark_${name}_total`, kind: 'counter', labels, help, samplesOf };
}

/** State, which a store that is not open does not have. */
function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  read: (now: ProbeGauges) => Reading,
): Metric {
  const samplesOf = ({ now }: StoreMetrics) => (now === undefined ? [] : toSamples(read(now)));
  return { name: `tidemark_${name}`, kind: 'gauge', labels, help, samplesOf };
}

function histogram(
  name: string,
  help: string,
  read: (metrics: StoreMetrics) => DurationHistogram,
): Metric {
  const samplesOf = (metrics: StoreMetrics) => plain(read(metrics));
  return {
    name: `tidemark_${name}_duration_seconds`,
    kind: 'histogram',
    labels: [],
    help,
    samplesOf,
  };
}

function toSamples(reading: Reading): readonly Sample[] {
  if (typeof reading === 'number') return plain(reading);
  return 'samples' in reading ? reading.samples : reading;
}

function bySite(counts: Float64Array): readonly Sample[] {
  return SITES.map((site, index) => ({ labels: { site }, value: counts[index] as number }));
}

function checksums({ held, mismatched }: StoreMetrics): readonly Sample[] {
  return SITES.flatMap((site, index) => [
    { labels: { site, outcome: 'ok' }, value: held[index] as number },
    { labels: { site, outcome: 'mismatch' }, value: mismatched[index] as number },
  ]);
}

/** What became of spans, over all probes of the store that make some. */
function spans({ source }: StoreMetrics): readonly Sample[] {
  const counting = (source?.probes ?? []).filter(
    (probe): probe is SpanCounting => 'spanCounts' in probe,
  );
  return SPAN_KINDS.flatMap((span) =>
    SPAN_DISPOSITIONS.map((disposition) => ({
      labels: { span, disposition },
      value: counting.reduce((sum, { spanCounts }) => sum + spanCounts[span][disposition], 0),
    })),
  );
}

/** Every metric, in one row: its name, what it means, its labels, and how it is read. */
export const METRICS: readonly Metric[] = [
  counter('gets', 'Gets, by whether the key was live.', ['result'], ({ hits, misses }) =>
    byLabel('result', { hit: hits, miss: misses }),
  ),
  counter('puts', 'Puts, those of batches included.', [], (m) => m.puts),
  counter('deletes', 'Deletes, those of batches included.', [], (m) => m.deletes),
  counter(
    'operation_errors',
    'Operations that failed, by operation and error code.',
    ['operation', 'code'],
    (m) => m.failures,
  ),
  counter('preads', 'Reads from segments, by what they were for.', ['site'], (m) =>
    bySite(m.preads),
  ),
  counter('pread_bytes', 'Bytes read from segments.', ['site'], (m) => bySite(m.preadBytes)),
  counter(
    'crc_validations',
    'Checksums verified, by what for and with what outcome.',
    ['site', 'outcome'],
    checksums,
  ),
  counter('writes', 'Write calls to segments.', [], (m) => m.writes),
  counter('appended_bytes', 'Bytes of frames appended.', [], (m) => m.appendedBytes),
  counter(
    'user_bytes',
    'Bytes of keys and values appended; what is beyond them is the format.',
    [],
    (m) => m.userBytes,
  ),
  counter('syncs', 'Completed syncs of the log.', [], (m) => m.syncs),
  counter('sync_waiters', 'Callers that a completed sync acknowledged.', [], (m) => m.syncWaiters),
  counter(
    'write_stalls',
    'Writes that had to wait for a sync, by why.',
    ['reason'],
    (m) => m.stalls,
  ),
  counter('rotations', 'Segments that were rotated away from.', [], (m) => m.rotations),
  counter('seals', 'Seal files, by what became of them.', ['outcome'], (m) => m.seals),
  counter('compactions', 'Compactions, by outcome.', ['outcome'], (m) => m.compactions),
  counter('compaction_bytes', 'Bytes that compactions read and wrote.', ['direction'], (m) =>
    byLabel('direction', m.compactionBytes),
  ),
  counter('verifications', 'Scrubs, by outcome.', ['outcome'], (m) => m.verifications),
  counter('verified_bytes', 'Bytes of segments that scrubs read.', [], (m) => m.verifiedBytes),
  counter('backups', 'Backups, by outcome.', ['outcome'], (m) => m.backups),
  counter('backup_bytes', 'Bytes of segments put into backups, by how.', ['way'], (m) =>
    byLabel('way', m.backupBytes),
  ),
  counter('corruptions', 'Damage met, by error code.', ['kind'], (m) => m.corruptions),
  counter(
    'truncated_bytes',
    'Bytes of torn tails cut off while opening.',
    [],
    (m) => m.truncatedBytes,
  ),
  counter('recoveries', 'Openings, by outcome.', ['outcome'], (m) => m.recoveries),
  counter(
    'fd_pool_hits',
    'Reads that found their segment open.',
    [],
    ({ now }) => now?.poolHits ?? 0,
  ),
  counter(
    'fd_pool_misses',
    'Reads that had to open their segment.',
    [],
    ({ now }) => now?.poolMisses ?? 0,
  ),
  counter(
    'fd_pool_evictions',
    'Descriptors closed to make room for another.',
    [],
    ({ now }) => now?.poolEvictions ?? 0,
  ),
  counter(
    'lease_losses',
    'Times the lease beside the kernel lock was lost.',
    [],
    (m) => m.leaseLosses,
  ),
  counter(
    'spans',
    'Spans, by what they are of and what became of them.',
    ['span', 'disposition'],
    spans,
  ),
  counter(
    'probe_errors',
    'Exceptions thrown by probes and ignored.',
    [],
    ({ now }) => now?.probeErrors ?? 0,
  ),
  gauge('keys', 'Live keys.', [], (now) => now.keys),
  gauge('keydir_bytes', 'Memory of the keydir, outside the V8 heap.', [], (now) => now.keydirBytes),
  gauge('open_fds', 'Files the store holds open.', [], (now) => now.openDescriptors),
  gauge(
    'poisoned',
    '1 once a write or a sync has failed, until the store is reopened.',
    [],
    ({ poisoned }) => (poisoned ? 1 : 0),
  ),
  gauge(
    'kernel_lock',
    '1 where a kernel lock keeps other writers out, 0 where only the lease does.',
    [],
    ({ kernelLock }) => (kernelLock === undefined ? [] : Number(kernelLock)),
  ),
  gauge('segments', 'Segments, by state.', ['state'], ({ sealedSegments }) =>
    byLabel('state', { active: 1, sealed: sealedSegments }),
  ),
  gauge(
    'segment_bytes',
    'Bytes of segments: of live frames, and of all others.',
    ['kind'],
    ({ liveBytes, segmentBytes }) =>
      byLabel('kind', { live: liveBytes, dead: segmentBytes - liveBytes }),
  ),
  gauge(
    'unsynced_bytes',
    'Bytes appended that a power cut could take.',
    [],
    (now) => now.unsyncedBytes,
  ),
  gauge(
    'unsynced_records',
    'Records appended that a power cut could take.',
    [],
    (now) => now.unsyncedRecords,
  ),
  gauge('sync_waiting', 'Callers waiting for a sync.', [], (now) => now.syncWaiters),
  gauge(
    'last_sync_timestamp_seconds',
    'When the last sync completed, in seconds since 1970; 0 before the first.',
    [],
    ({ lastSyncedAtMs = 0 }) => lastSyncedAtMs / 1000,
  ),
  histogram(
    'get',
    'Time of a get; one in 17 is timed and stands for the others.',
    (m) => m.getTime,
  ),
  histogram('put', 'Time of a put or a delete.', (m) => m.putTime),
  histogram(
    'pread',
    "Time of a get's pread; one in 17 is timed and stands for the others.",
    (m) => m.preadTime,
  ),
  histogram(
    'crc_validate',
    "Time of a get's checksum; one in 17 is timed and stands for the others.",
    (m) => m.crcTime,
  ),
  histogram('sync', 'Time of a sync of the log.', (m) => m.syncTime),
  histogram(
    'durable_wait',
    'Time from a call of sync or putDurable to its acknowledgement.',
    (m) => m.durableWaitTime,
  ),
  histogram('recovery', 'Time of an opening.', (m) => m.recoveryTime),
  histogram('compaction', 'Time of a compaction.', (m) => m.compactionTime),
  histogram('write_stall', 'Time that writes waited for a sync.', (m) => m.stallTime),
];

/** What every metric is called and means, for dashboards and documents. */
export const METRIC_FAMILIES: readonly MetricFamily[] = METRICS;
