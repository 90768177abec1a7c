import type { Unit } from '../../quantity.ts';
import type { LatencyOperation } from '../run/operation-latency.ts';
import type { Sample } from './sample.ts';

export interface SeriesDescription {
  readonly name: string;
  /** The column in samples.csv. A value there times `columnScale` is the series in `unit`. */
  readonly column: string;
  readonly columnScale: number;
  readonly unit: Unit;
  readonly title: string;
}

/** One number of each sample, which gates judge and reports draw. */
export interface Series {
  readonly name: string;
  readonly unit: Unit;
  readonly title: string;
  /** The column in samples.csv, and the factor of a value there. */
  readonly column: string;
  readonly columnScale: number;
  /** Undefined where nothing was measured. `before` is the sample before, of the same process. */
  readonly of: (sample: Sample, before: Sample | undefined) => number | undefined;
  /**
   * A healthy process takes so much more and gives it back, as its young generation and its code
   * grow: a rise by less is not told from that.
   */
  readonly breath: number;
}

const KB = 1024;
const MB = 1e6;

/**
 * Processes that leak nothing rose by up to 25 MB (RSS) and 1 MB (heap) in their first seconds
 * under load.
 */
const BREATH_OF_RSS = 32 * MB;
const BREATH_OF_HEAP = 2 * MB;

export const SERIES: readonly Series[] = [
  series(
    'rss_bytes',
    'bytes',
    'Resident memory',
    'rss_kb',
    KB,
    ({ outside }) => outside.rssBytes,
    BREATH_OF_RSS,
  ),
  series(
    'heap_used_bytes',
    'bytes',
    'Heap used',
    'heap_used_kb',
    KB,
    ({ inside }) => inside?.heapUsedBytes,
  ),
  series(
    'heap_used_after_gc_bytes',
    'bytes',
    'Heap used, after a full collection',
    'heap_after_gc_kb',
    KB,
    ({ inside }) => inside?.heapUsedAfterGcBytes,
    BREATH_OF_HEAP,
  ),
  series(
    'external_bytes',
    'bytes',
    'External memory',
    'external_kb',
    KB,
    ({ inside }) => inside?.externalBytes,
  ),
  series(
    'array_buffers_bytes',
    'bytes',
    'Array buffers',
    'array_buffers_kb',
    KB,
    ({ inside }) => inside?.arrayBuffersBytes,
  ),
  series('fds', 'count', 'Descriptors', 'fds', 1, ({ outside }) => outside.descriptors?.open),
  series(
    'deleted_fds',
    'count',
    'Descriptors of deleted files',
    'deleted_fds',
    1,
    ({ outside }) => outside.descriptors?.deleted,
  ),
  series(
    'store_fds',
    'count',
    'Descriptors that the store says it holds',
    'store_fds',
    1,
    ({ inside }) => inside?.stats?.openDescriptors,
  ),
  series(
    'cpu_percent',
    'percent',
    'Processor',
    'cpu_percent',
    1,
    ({ outside }) => outside.cpuPercent,
  ),
  ...(['mean', 'p99', 'max'] as const).map((statistic) =>
    series(
      `event_loop_delay_${statistic}_ms`,
      'ms',
      `Event-loop delay, ${statistic}`,
      `loop_delay_${statistic}_ms`,
      1,
      ({ inside }) => inside?.eventLoopDelayMs[statistic],
    ),
  ),
  series('operations_per_second', 'ops/s', 'Operations', 'ops_per_s', 1, (sample, before) =>
    rate(sample, before, 'operations'),
  ),
  series(
    'user_bytes_per_second',
    'bytes/s',
    'User bytes',
    'user_bytes_per_s',
    1,
    (sample, before) => rate(sample, before, 'bytesWritten'),
  ),
  ...(['put', 'get', 'delete', 'sync'] as const).flatMap((operation) => latencySeries(operation)),
  series(
    'disk_bytes',
    'bytes',
    'Disk',
    'directory_kb',
    KB,
    ({ outside }) => outside.directoryBytes,
  ),
  series(
    'live_bytes',
    'bytes',
    'Live keys and values',
    'live_kb',
    KB,
    ({ inside }) => inside?.liveBytes,
  ),
  series(
    'disk_over_live',
    'ratio',
    'Disk over live bytes',
    'disk_over_live',
    1,
    ({ outside, inside }) =>
      outside.directoryBytes === undefined || !inside?.liveBytes
        ? undefined
        : outside.directoryBytes / inside.liveBytes,
  ),
  series(
    'telemetry_drops',
    'count',
    'Spans that were not taken',
    'telemetry_drops',
    1,
    ({ inside }) => inside?.telemetryDrops,
  ),
];

const BY_NAME = new Map(SERIES.map((one) => [one.name, one]));

export function seriesNamed(name: string): Series | undefined {
  return BY_NAME.get(name);
}

export function describeSeries(): SeriesDescription[] {
  return SERIES.map(({ name, unit, title, column, columnScale }) => ({
    name,
    unit,
    title,
    column,
    columnScale,
  }));
}

function series(
  name: string,
  unit: Unit,
  title: string,
  column: string,
  columnScale: number,
  of: Series['of'],
  breath = 0,
): Series {
  return { name, unit, title, column, columnScale, of, breath };
}

function latencySeries(operation: LatencyOperation): Series[] {
  return (['p50', 'p99', 'max'] as const).map((statistic) =>
    series(
      `${operation}_${statistic}_us`,
      'us',
      `Latency of ${operation}, ${statistic}`,
      `${operation}_${statistic}_us`,
      1,
      ({ inside }) => inside?.latency[operation]?.[`${statistic}Us`],
    ),
  );
}

/** Less of the workload than this between two samples says nothing of its rate. */
const LEAST_WORKLOAD_MS = 10;

/** A second of the workload itself, so that a reopen in between is no slowness. */
function rate(
  sample: Sample,
  before: Sample | undefined,
  of: 'operations' | 'bytesWritten',
): number | undefined {
  const [now, then] = [sample.inside, before?.inside];
  if (now === undefined || then === undefined) return undefined;
  const elapsedMs = now.workloadMs - then.workloadMs;
  return elapsedMs < LEAST_WORKLOAD_MS
    ? undefined
    : ((now.totals[of] - then.totals[of]) / elapsedMs) * 1000;
}
