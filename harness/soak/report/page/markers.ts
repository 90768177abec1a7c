import type uPlot from 'uplot';
import { EVENT_KINDS, type EventKind, type EventsByKind, type Span } from '../drawing/page-data.ts';
import { colour } from './theme.ts';

/** More lines than this would hide the curve: they become ticks at the upper edge. */
const MOST_LINES = 40;
const TICK_PX = 7;
const DASHES: Readonly<Record<EventKind, readonly number[]>> = {
  rotation: [1, 3],
  compaction: [],
  reopen: [5, 4],
  kill: [],
};

export interface MarkerSource {
  readonly events: EventsByKind;
  readonly warmupEndsAtS: number;
  isShown(kind: EventKind): boolean;
}

/** Draws the warm-up and what happened to the store, behind the curves. */
export function drawMarkers(chart: uPlot, source: MarkerSource): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  drawWarmup(chart, source.warmupEndsAtS);
  for (const kind of EVENT_KINDS) {
    if (source.isShown(kind)) drawKind(chart, kind, source.events[kind]);
  }
  ctx.restore();
}

function drawWarmup(chart: uPlot, endsAtS: number): void {
  if (endsAtS <= 0) return;
  const { ctx, bbox } = chart;
  ctx.fillStyle = colour('--warmup');
  ctx.fillRect(bbox.left, bbox.top, chart.valToPos(endsAtS, 'x', true) - bbox.left, bbox.height);
}

function drawKind(chart: uPlot, kind: EventKind, spans: readonly Span[]): void {
  const { ctx, bbox } = chart;
  const pxRatio = devicePixelRatio;
  const { min = 0, max = 0 } = chart.scales.x ?? {};
  const visible = spans.filter(({ beginS, endS }) => endS >= (min ?? 0) && beginS <= (max ?? 0));
  const asTicks = visible.length > MOST_LINES;
  ctx.strokeStyle = colour(`--${kind}`);
  ctx.fillStyle = colour(`--${kind}-band`);
  ctx.lineWidth = kind === 'kill' ? 2 * pxRatio : pxRatio;
  ctx.setLineDash(asTicks ? [] : DASHES[kind].map((length) => length * pxRatio));
  for (const { beginS, endS } of visible) {
    const left = Math.round(chart.valToPos(beginS, 'x', true));
    const right = Math.round(chart.valToPos(endS, 'x', true));
    if (right - left >= 2 * pxRatio) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.beginPath();
    ctx.moveTo(right + 0.5, bbox.top);
    ctx.lineTo(right + 0.5, bbox.top + (asTicks ? TICK_PX * pxRatio : bbox.height));
    ctx.stroke();
  }
}
