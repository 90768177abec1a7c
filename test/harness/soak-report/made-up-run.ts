import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Gate } from '../../../harness/soak/gates/gate.ts';
import type { Summary } from '../../../harness/soak/result/summary.ts';
import type { RunEvent } from '../../../harness/soak/run/run-event.ts';
import { describeSeries } from '../../../harness/soak/sampling/series.ts';

/** A run that never was, of any length, with the files that a real one leaves. */
export interface MadeUpRun {
  readonly summary: Summary;
  readonly csv: string;
}

export interface Spike {
  readonly column: string;
  readonly sample: number;
  readonly value: number;
}

const SERIES = describeSeries();
const COLUMNS = ['elapsed_s', ...SERIES.map(({ column }) => column)];

export function madeUpRun(sampleCount: number, spikes: readonly Spike[] = []): MadeUpRun {
  const rows = Array.from({ length: sampleCount }, (_, index) => rowOf(index + 1));
  for (const { column, sample, value } of spikes) {
    (rows[sample] as number[])[COLUMNS.indexOf(column)] = value;
  }
  const csv = `${COLUMNS.join(',')}\n${rows.map((row) => `${row.join(',')}\n`).join('')}`;
  return { summary: summaryOf(sampleCount), csv };
}

export function writeRun(directory: string, { summary, csv }: MadeUpRun): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'summary.json'), JSON.stringify(summary));
  writeFileSync(join(directory, 'samples.csv'), csv);
}

/** A noise that is the same each time. */
function wobble(second: number, salt: number): number {
  return Math.abs(Math.sin(second * 12.9898 + salt * 78.233) * 43758.5453) % 1;
}

/** The ordinary level of what a series counts, and how much it wavers around it. */
const LEVELS: Readonly<Record<string, readonly [level: number, range: number]>> = {
  rss_bytes: [118e6, 9e6],
  heap_used_bytes: [16e6, 5e6],
  heap_used_after_gc_bytes: [9e6, 1e5],
  external_bytes: [30e6, 1e6],
  array_buffers_bytes: [27e6, 1e6],
  fds: [21, 4],
  store_fds: [3, 2],
  deleted_fds: [0, 0],
  operations_per_second: [24_000, 5_000],
  user_bytes_per_second: [72e6, 9e6],
  disk_bytes: [90e6, 150e6],
  live_bytes: [81e6, 2e6],
  disk_over_live: [1.2, 1.5],
};
const LATENCY_US = { p50: 2, p99: 14, max: 2_400 };

function rowOf(second: number): number[] {
  return [
    second,
    ...SERIES.map(({ name, columnScale }, salt) => {
      const [level, range] = LEVELS[name] ?? levelOfLatency(name);
      return Number(((level + range * wobble(second, salt)) / columnScale).toFixed(2));
    }),
  ];
}

function levelOfLatency(name: string): readonly [number, number] {
  const percentile = (['p50', 'p99', 'max'] as const).find((one) => name.includes(one)) ?? 'p50';
  return [LATENCY_US[percentile], LATENCY_US[percentile] * 0.8];
}

export function madeUpGate(parts: Partial<Gate> & { readonly name: string }): Gate {
  return {
    kind: 'limit',
    series: null,
    value: 1,
    comparison: '<=',
    limit: 2,
    unit: 'count',
    passed: true,
    verdict: 'passed',
    detail: 'The most that was seen.',
    aborted: false,
    ...parts,
  };
}

function eventsUntil(seconds: number): RunEvent[] {
  const every = (kind: RunEvent['kind'], periodS: number, durationMs: number) =>
    Array.from({ length: Math.floor(seconds / periodS) }, (_, index) => ({
      kind,
      elapsedS: (index + 1) * periodS,
      durationMs,
      operations: (index + 1) * periodS * 24_000,
    }));
  return [
    ...every('rotation', 4, 0),
    ...every('compaction', 40, 2_100),
    ...every('reopen', 55, 700),
    ...every('kill', 150, 1_300),
  ].sort((a, b) => a.elapsedS - b.elapsedS);
}

function summaryOf(seconds: number): Summary {
  const buckets = [0.5, 1, 2, 4, 8, 16, 64, 256, 1_024, 8_192].map((upToUs, index) => ({
    upToUs,
    count: [0, 900, 90_000, 40_000, 9_000, 800, 120, 30, 4, 1][index] as number,
  }));
  const latency = {
    meanUs: 2.4,
    p50Us: 1.9,
    p90Us: 3.4,
    p99Us: 8.2,
    p999Us: 61,
    maxUs: 7_900,
    buckets,
  };
  const summary = {
    schema: 2,
    kind: 'tidemark-soak',
    verdict: 'pass',
    exitCode: 0,
    reason: 'every key was compared after a reopen; nothing was lost, wrong or invented',
    startedAt: '2026-11-25T00:00:00.000Z',
    durationMs: seconds * 1000,
    seed: 42,
    command: "npm run soak -- --profile smoke --seed 42 --out 'my runs/today'",
    profile: { name: 'smoke', path: null },
    configuration: {
      seed: 42,
      adapter: 'tidemark',
      keyCount: 20_000,
      goal: { seconds },
      sampleIntervalMs: 1_000,
    },
    versions: { tidemark: '0.1.0', node: 'v20.20.0' },
    host: {
      platform: 'linux',
      release: '6.1.0',
      arch: 'x64',
      cpu: 'A processor',
      cores: 2,
      memoryBytes: 8e9,
      fileSystem: 'ext4',
    },
    invariants: [
      { name: 'nothing_lost', meaning: 'a key that was put is there', holds: true, violations: [] },
      {
        name: 'nothing_wrong',
        meaning: 'a key has the value put last',
        holds: true,
        violations: [],
      },
    ],
    gates: [
      madeUpGate({
        name: 'rss_bytes: max <= 160MB',
        series: 'rss_bytes',
        unit: 'bytes',
        value: 130e6,
        limit: 160e6,
      }),
      madeUpGate({ name: 'deleted_fds: max == 0', series: 'deleted_fds', value: 0, limit: 0 }),
      madeUpGate({
        name: 'heap_used_after_gc_bytes: leak <= 64 bytes/1000 ops',
        kind: 'leak',
        series: 'heap_used_after_gc_bytes',
        unit: 'bytes/1000 ops',
        value: 3,
        limit: 64,
        interval: { lower: -4, upper: 9, confidence: 0.95 },
      }),
      madeUpGate({ name: 'fds_leaked_when_closed', kind: 'descriptors', value: 0, limit: 0 }),
    ],
    baseline: null,
    outcome: { kind: 'completed' },
    totals: { operations: seconds * 24_800, bytesWritten: seconds * 72e6, keysChecked: 260_000 },
    data: { keyCount: 20_000 },
    userBytesPerSecond: 72e6,
    peakRssBytes: 130e6,
    descriptors: { closedBefore: 20, closedAfter: 20, least: 21, most: 25 },
    events: eventsUntil(seconds),
    eventsDropped: 0,
    latencyCoverage: null,
    latency: [
      { operation: 'put', count: 140_855, ...latency },
      { operation: 'get', count: 140_855, ...latency },
    ],
    series: SERIES,
    warmupEndsAtS: Math.min(30, seconds / 10),
    spans: null,
    sampleCount: seconds,
    store: null,
    process: { pid: 4242, code: 0, signal: null, lastWords: [] },
    storeDirectory: null,
  };
  // The report reads JSON; what it does not show is left out here.
  return summary as unknown as Summary;
}
