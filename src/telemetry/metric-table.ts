import type { ProbeGauges } from '../engine/index.ts';
import type { DurationHistogram } from './duration-histogram.ts';
import { byLabel, type LabelledCounter, plain, type Sample } from './samples.ts';
import { SPAN_DISPOSITIONS, SPAN_KINDS, type SpanCounting } from './span-counts.ts';
import { SITES, type StoreMetrics } from './store-metrics.ts';
import { VERSION } from './version.ts';

/** What is exported, what docs/telemetry.md must tell, and what dashboards may use. */
export interface MetricFamily {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** How the values of several processes become one. */
  readonly aggregator: 'sum' | 'max' | 'min' | 'first';
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
  return {
    name: `tidemark_${name}_total`,
    kind: 'counter',
    aggregator: 'sum',
    labels,
    help,
    samplesOf,
  };
}

/** State, which a store that is not open does not have. */
function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  read: (now: ProbeGauges) => Reading,
  aggregator: Metric['aggregator'] = 'sum',
): Metric {
  const samplesOf = ({ now }: StoreMetrics) => (now === undefined ? [] : toSamples(read(now)));
  return { name: `tidemark_${name}`, kind: 'gauge', aggregator, labels, help, samplesOf };
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
    aggregator: 'sum',
    labels: [],
    help,
    samplesOf,
  };
}

function toSamples(reading: Reading): readonly Sample[] {
  if (typeof reading === 'number') return plain(reading);
  return 'samples' in reading ? reading.samples : reading;
}

/** Of a site appears what was read there, and gets at once. */
function preads({ preads }: StoreMetrics): readonly Sample[] {
  return SITES.map((site, index) => ({ labels: { site }, value: preads[index] as number })).filter(
    ({ labels, value }) => value > 0 || labels.site === 'get' || labels.site === 'scan',
  );
}

/** What became of spans, over all probes of the store that make some; none where none does. */
function spans({ source }: StoreMetrics): readonly Sample[] {
  const counting = (source?.probes ?? []).filter(
    (probe): probe is SpanCounting => 'spanCounts' in probe,
  );
  if (counting.length === 0) return [];
  return SPAN_DISPOSITIONS.map((disposition) => ({
    labels: { disposition },
    value: counting.reduce(
      (sum, { spanCounts }) =>
        SPAN_KINDS.reduce((sum, kind) => sum + spanCounts[kind][disposition], sum),
      0,
    ),
  }));
}

const STATES = ['opening', 'open', 'failed'] as const;

function state({ now, failedWith }: StoreMetrics): readonly Sample[] {
  const is = now !== undefined ? 'open' : failedWith !== undefined ? 'failed' : 'opening';
  return STATES.map((state) => ({ labels: { state }, value: Number(state === is) }));
}

function info({ source, now }: StoreMetrics): readonly Sample[] {
  if (source === undefined) return [];
  const { directory, checksum } = source;
  const kernelLock = now?.kernelLock === undefined ? 'none' : now.kernelLock ? 'yes' : 'no';
  return [{ labels: { directory, version: VERSION, checksum, kernel_lock: kernelLock }, value: 1 }];
}

/** Told of a store whether it is open or not. */
function fact(
  name: string,
  help: string,
  labels: readonly string[],
  aggregator: Metric['aggregator'],
  read: (metrics: StoreMetrics) => Reading,
): Metric {
  const samplesOf = (metrics: StoreMetrics) => toSamples(read(metrics));
  return { name: `tidemark_${name}`, kind: 'gauge', aggregator, labels, help, samplesOf };
}

/** Every metric, in one row: its name, what it means, its labels, and how it is read. */
export const METRICS: readonly Metric[] = [
  fact(
    'info',
    'What the store is, and what runs it.',
    ['directory', 'version', 'checksum', 'kernel_lock'],
    'first',
    info,
  ),
  fact(
    'state',
    '1 for what the store is in: opening, open, or failed to open.',
    ['state'],
    'max',
    state,
  ),
  fact(
    'last_verification_timestamp_seconds',
    'When a scrub last found all well, in seconds since 1970; 0 for never.',
    [],
    'max',
    (m) => m.verifiedAtMs / 1000,
  ),
  fact(
    'last_backup_timestamp_seconds',
    'When a backup last ended well, in seconds since 1970; 0 for never.',
    [],
    'max',
    (m) => m.backedUpAtMs / 1000,
  ),
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
  counter('preads', 'Reads from segments, by what they were for.', ['site'], preads),
  counter('pread_bytes', 'Bytes read from segments.', [], (m) => m.preadBytes),
  counter('crc_validations', 'Checksums verified, by outcome.', ['outcome'], (m) =>
    byLabel('outcome', { ok: m.held, mismatch: m.mismatched }),
  ),
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
  counter('backups', 'Backups, by outcome.', ['outcome'], (m) => m.backups),
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
    'Spans of operations and of their parts, by what became of them.',
    ['disposition'],
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
    'max',
  ),
  gauge(
    'kernel_lock',
    '1 where a kernel lock keeps other writers out, 0 where only the lease does.',
    [],
    ({ kernelLock }) => (kernelLock === undefined ? [] : Number(kernelLock)),
    'min',
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
  fact(
    'last_sync_timestamp_seconds',
    'When all that was written was last durable, by a sync or the opening; seconds since 1970.',
    [],
    'max',
    ({ now, openedAtMs }) =>
      now === undefined ? [] : plain((now.lastSyncedAtMs ?? openedAtMs) / 1000),
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
