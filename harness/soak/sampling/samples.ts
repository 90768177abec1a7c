import { appendFileSync, writeFileSync } from 'node:fs';
import type { Sample } from './sample.ts';
import { SERIES } from './series.ts';

type Cell = number | string | undefined;
type Column = readonly [name: string, cell: (sample: Sample, before: Sample | undefined) => Cell];

/**
 * The first ten are a promise to those who read the file by position; further ones are added at the
 * end.
 */
const FIXED_COLUMNS: readonly Column[] = [
  ['elapsed_s', ({ elapsedS }) => elapsedS.toFixed(3)],
  ['rss_kb', ({ outside }) => kilobytes(outside.rssBytes)],
  ['fds', ({ outside }) => outside.descriptors?.open],
  ['segments', ({ inside }) => inside?.stats?.segments],
  ['live_keys', ({ inside }) => inside?.liveKeys],
  ['puts', ({ inside }) => inside?.totals.puts],
  ['deletes', ({ inside }) => inside?.totals.deletes],
  ['rotates', ({ inside }) => inside?.totals.rotates],
  ['compacts', ({ inside }) => inside?.totals.compacts],
  ['bytes_written', ({ inside }) => inside?.totals.bytesWritten],
  ['reads', ({ inside }) => inside?.totals.reads],
  ['syncs', ({ inside }) => inside?.totals.syncs],
  ['reopens', ({ inside }) => inside?.totals.reopens],
  ['keys_checked', ({ inside }) => inside?.totals.keysChecked],
  ['disk_bytes', ({ inside }) => inside?.stats?.diskBytes],
  ['deleted_fds', ({ outside }) => outside.descriptors?.deleted],
  ['cpu_percent', ({ outside }) => outside.cpuPercent?.toFixed(1)],
  ['heap_used_kb', ({ inside }) => kilobytes(inside?.heapUsedBytes)],
  ['external_kb', ({ inside }) => kilobytes(inside?.externalBytes)],
  ['array_buffers_kb', ({ inside }) => kilobytes(inside?.arrayBuffersBytes)],
  ['loop_delay_mean_ms', ({ inside }) => inside?.eventLoopDelayMs.mean.toFixed(2)],
  ['loop_delay_p99_ms', ({ inside }) => inside?.eventLoopDelayMs.p99.toFixed(2)],
  ['loop_delay_max_ms', ({ inside }) => inside?.eventLoopDelayMs.max.toFixed(2)],
  ['phase', ({ inside }) => inside?.phase],
];

/** Columns of the series that have none yet. */
const FURTHER_COLUMNS: readonly Column[] = SERIES.filter(
  ({ column }) => !FIXED_COLUMNS.some(([name]) => name === column),
).map(({ column, columnScale, of }) => [
  column,
  (sample, before) => {
    const value = of(sample, before);
    return value === undefined ? undefined : shortened(value / columnScale);
  },
]);

const COLUMNS: readonly Column[] = [
  ...FIXED_COLUMNS,
  ...FURTHER_COLUMNS,
  ['life', ({ life }) => life],
];

/** `samples.csv`: one line per sample; a cell is empty where nothing was measured. */
export class SampleFile {
  private readonly path: string;
  private last: Sample | undefined;

  constructor(path: string) {
    this.path = path;
    writeFileSync(path, `${COLUMNS.map(([name]) => name).join(',')}\n`);
  }

  add(sample: Sample): void {
    const before = this.last?.life === sample.life ? this.last : undefined;
    this.last = sample;
    appendFileSync(
      this.path,
      `${COLUMNS.map(([, cell]) => cell(sample, before) ?? '').join(',')}\n`,
    );
  }
}

/** Six digits are more than was measured. */
function shortened(value: number): number {
  return Number(value.toPrecision(6));
}

function kilobytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.round(bytes / 1024);
}
