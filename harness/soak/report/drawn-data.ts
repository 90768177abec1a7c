import type { Gate } from '../gates/gate.ts';
import type { Summary } from '../result/summary.ts';
import type { RunEvent } from '../run/run-event.ts';
import { type PlannedChart, valuesOf } from './drawing/chart-plan.ts';
import { downsample } from './drawing/downsample.ts';
import {
  type ChartData,
  EVENT_KINDS,
  type EventKind,
  type EventsByKind,
  type PageData,
  type Span,
} from './drawing/page-data.ts';
import type { SampleTable } from './drawing/sample-table.ts';

/**
 * A wide screen has as many pixels for a chart. The number also keeps the page of a long run below
 * one megabyte.
 */
const BUCKETS = 600;
const MOST_SPANS = 1_000;
/** More digits than a chart can show. */
const DIGITS = 5;

export type DrawnRun = Pick<Summary, 'gates' | 'warmupEndsAtS'>;

export function drawnData(
  run: DrawnRun,
  plan: readonly PlannedChart[],
  samples: SampleTable,
  events: EventsByKind,
): PageData {
  const values = plan.flatMap((chart) => chart.series.map((series) => valuesOf(series, samples)));
  const drawn = downsample({ elapsedS: samples.column('elapsed_s') ?? [], values }, BUCKETS);
  let next = 0;
  const charts = plan.map(
    (chart): ChartData => ({
      id: chart.id,
      unit: chart.unit,
      scale: chart.scale,
      limits: limitsOf(chart, run.gates),
      series: chart.series.map(({ label }) => ({
        label,
        values: (drawn.values[next++] ?? []).map(rounded),
      })),
    }),
  );
  return {
    charts,
    elapsedS: drawn.elapsedS.map((second) => Math.round(second * 1000) / 1000),
    events: Object.fromEntries(
      EVENT_KINDS.map((kind) => [kind, thinSpans(events[kind])]),
    ) as unknown as EventsByKind,
    warmupEndsAtS: run.warmupEndsAtS,
  };
}

export function rounded(value: number | null): number | null {
  return value === null || Number.isNaN(value) ? null : Number(value.toPrecision(DIGITS));
}

/**
 * Only a limit on the values themselves can be drawn among them; one of nothing would lie on the
 * axis.
 */
function limitsOf({ series, unit }: PlannedChart, gates: readonly Gate[]): number[] {
  const names = new Set(series.map(({ name }) => name));
  const drawable = gates.filter(
    (gate) =>
      gate.kind === 'limit' && gate.unit === unit && gate.series !== null && names.has(gate.series),
  );
  return [...new Set(drawable.flatMap(({ limit }) => limit || []))];
}

export function spansByKind(events: readonly RunEvent[]): EventsByKind {
  const spans: Record<EventKind, Span[]> = { rotation: [], compaction: [], reopen: [], kill: [] };
  for (const event of events) spans[event.kind].push(spanOf(event));
  return spans;
}

export function spanOf({ elapsedS, durationMs }: RunEvent): Span {
  const milliseconds = (seconds: number) => Math.round(seconds * 1000) / 1000;
  return {
    beginS: milliseconds(Math.max(0, elapsedS - durationMs / 1000)),
    endS: milliseconds(elapsedS),
  };
}

/** Two that would be drawn on the same pixel are one. */
function thinSpans(spans: readonly Span[]): readonly Span[] {
  const last = spans.at(-1);
  if (last === undefined || spans.length <= MOST_SPANS) return spans;
  const pixelS = last.endS / MOST_SPANS;
  const kept: Span[] = [];
  for (const span of spans) {
    const before = kept.at(-1);
    if (before !== undefined && span.endS - before.endS < pixelS) {
      kept[kept.length - 1] = { beginS: Math.min(before.beginS, span.beginS), endS: before.endS };
    } else kept.push(span);
  }
  return kept;
}
