import type { Unit } from '../../../quantity.ts';
import type { SeriesDescription } from '../../sampling/series.ts';
import type { Scale } from './page-data.ts';
import type { SampleTable } from './sample-table.ts';

/** One chart of the page: what it shows, from which columns. */
export interface PlannedChart {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly scale: Scale;
  readonly series: readonly PlannedSeries[];
}

export interface PlannedSeries {
  readonly label: string;
  readonly name: string;
  readonly column: string;
  readonly columnScale: number;
}

interface Group {
  readonly id: string;
  readonly title: string;
  readonly scale?: Scale;
  readonly takes: (series: SeriesDescription) => boolean;
}

const HEAP = new Set([
  'heap_used_bytes',
  'heap_used_after_gc_bytes',
  'external_bytes',
  'array_buffers_bytes',
]);

/**
 * The groups in the order of the page. A series goes to the first group that takes it, or else has
 * a chart of its own.
 */
const GROUPS: readonly Group[] = [
  { id: 'throughput', title: 'Operations a second', takes: ({ unit }) => unit === 'ops/s' },
  { id: 'written', title: 'User bytes per second', takes: ({ unit }) => unit === 'bytes/s' },
  { id: 'rss', title: 'Resident memory', takes: ({ name }) => name === 'rss_bytes' },
  { id: 'heap', title: 'Heap and buffers', takes: ({ name }) => HEAP.has(name) },
  ...(['put', 'get', 'delete', 'sync'] as const).map(
    (operation): Group => ({
      id: `latency-${operation}`,
      title: `Latency of ${operation}`,
      scale: 'log',
      takes: ({ name, unit }) => unit === 'us' && name.startsWith(`${operation}_`),
    }),
  ),
  { id: 'fds', title: 'File descriptors', takes: ({ name }) => /(^|_)fds$/.test(name) },
  {
    id: 'disk',
    title: 'Disk',
    takes: ({ name }) => name === 'disk_bytes' || name === 'live_bytes',
  },
  {
    id: 'loop-delay',
    title: 'Event-loop delay',
    scale: 'asinh',
    takes: ({ name }) => name.startsWith('event_loop_delay_'),
  },
];

export function planCharts(
  descriptions: readonly SeriesDescription[],
  samples: SampleTable,
): PlannedChart[] {
  const remaining = new Set(descriptions.filter(({ column }) => samples.hasValues(column)));
  const charts: PlannedChart[] = [];
  for (const { id, title, scale = 'linear', takes } of GROUPS) {
    const taken = [...remaining].filter(takes);
    const [first] = taken;
    if (first === undefined) continue;
    for (const series of taken) remaining.delete(series);
    charts.push({
      id,
      title,
      unit: first.unit,
      scale,
      series: taken.map((series) => planSeries(series, title)),
    });
  }
  for (const description of remaining) {
    const { name, title, unit } = description;
    charts.push({
      id: name,
      title,
      unit,
      scale: 'linear',
      series: [planSeries(description, title)],
    });
  }
  return charts;
}

/** `Latency of put, p99` is `p99` below a title that says the rest. */
function planSeries(
  { name, title, column, columnScale }: SeriesDescription,
  chartTitle: string,
): PlannedSeries {
  const label = title.startsWith(`${chartTitle}, `) ? title.slice(chartTitle.length + 2) : title;
  return { label, name, column, columnScale };
}

/** The series in its unit, one value a sample. */
export function valuesOf(
  { column, columnScale }: PlannedSeries,
  samples: SampleTable,
): Float64Array {
  return (samples.column(column) as Float64Array).map((value) => value * columnScale);
}

/** The same for one sample. */
export function valueAt(
  { column, columnScale }: PlannedSeries,
  samples: SampleTable,
  row: number,
): number {
  return (samples.column(column)?.[row] ?? Number.NaN) * columnScale;
}
