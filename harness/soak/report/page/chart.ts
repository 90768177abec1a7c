import uPlot from 'uplot';
import { formatQuantity } from '../../../quantity.ts';
import type { ChartData } from '../drawing/page-data.ts';
import { formatElapsed } from './elapsed.ts';
import { drawMarkers, type MarkerSource } from './markers.ts';
import { colour } from './theme.ts';

const HEIGHT_PX = 190;
/** A limit far above the values is told beside the chart: drawn, it would press the curve flat. */
const LIMIT_IN_SIGHT = 2;

export interface ChartSurroundings extends MarkerSource {
  readonly elapsedS: readonly number[];
  /** The part of time that all charts show; undefined for all of it. */
  readonly window: () => readonly [number, number] | undefined;
  readonly windowChosen: (beginS: number, endS: number) => void;
  readonly windowReset: () => void;
  /** The moment under the cursor, by its index; null when there is none. */
  readonly cursorMoved: (index: number | null) => void;
}

/** Draws one chart into `place`, which is emptied. The caller destroys it. */
export function drawChart(place: HTMLElement, data: ChartData, around: ChartSurroundings): uPlot {
  place.replaceChildren();
  const chart = new uPlot(optionsOf(place, data, around), alignedOf(data, around.elapsedS), place);
  const canvas = place.querySelector('canvas') as HTMLCanvasElement;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-labelledby', `${data.id}-title`);
  canvas.setAttribute('aria-describedby', `${data.id}-values`);
  followTouch(chart);
  return chart;
}

export function alignedOf(data: ChartData, elapsedS: readonly number[]): uPlot.AlignedData {
  return [elapsedS as number[], ...data.series.map(({ values }) => values as (number | null)[])];
}

function optionsOf(place: HTMLElement, data: ChartData, around: ChartSurroundings): uPlot.Options {
  // An arcsinh axis is labelled on both sides of zero, whatever its range.
  const least = data.scale === 'asinh' ? 0 : Number.NEGATIVE_INFINITY;
  const axis = {
    stroke: () => colour('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: () => colour('--grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [10, 18, 0, 0],
    cursor: {
      sync: { key: 'soak' },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
    },
    scales: {
      x: { time: false, range: (_chart, min, max) => windowOf(around, min, max) },
      y: { distr: DISTRIBUTIONS[data.scale], range: (_chart, min, max) => rangeOf(data, min, max) },
    },
    axes: [
      {
        ...axis,
        gap: 6,
        size: 30,
        space: 64,
        incrs: TIME_STEPS_S,
        values: (_chart, moments) => moments.map(formatElapsed),
      },
      {
        ...axis,
        gap: 6,
        size: place.clientWidth < 420 ? 62 : 74,
        space: 32,
        values: (_chart, values) =>
          values.map((value) =>
            value === null || value < least ? null : formatQuantity(value, data.unit),
          ),
      },
    ],
    series: [
      {},
      ...data.series.map(({ label, values }, index) => ({
        label,
        stroke: () => colour(`--series-${index + 1}`),
        width: 1.5,
        points: {
          show: true,
          size: 4,
          filter: (drawn: uPlot, position: number) => loneMoments(drawn.data[position] ?? []),
        },
        spanGaps: isSparse(values),
      })),
    ],
    hooks: {
      drawClear: [(chart) => drawMarkers(chart, around)],
      draw: [(chart) => drawLimits(chart, data)],
      setCursor: [({ cursor }) => around.cursorMoved(cursor.idx ?? null)],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width < 4) return;
          around.windowChosen(chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x'));
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ready: [(chart) => chart.over.addEventListener('dblclick', around.windowReset)],
    },
  };
}

const SPARSE_SHARE = 0.3;
const DISTRIBUTIONS = { linear: 1, log: 3, asinh: 4 } as const;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const TIME_STEPS_S = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_S),
  ...[1, 2, 3, 6, 12, 24, 48, 96, 240].map((hours) => hours * HOUR_S),
];

function windowOf(
  { window, elapsedS }: ChartSurroundings,
  min: number | null,
  max: number | null,
): uPlot.Range.MinMax {
  const chosen = window();
  if (chosen !== undefined) return [chosen[0], chosen[1]];
  // From the beginning of the run, even if the first sample came later.
  return elapsedS.length === 0 ? [0, 1] : [Math.min(0, min ?? 0), Math.max(max ?? 1, 1e-3)];
}

function rangeOf(data: ChartData, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return data.scale === 'log' ? [1, 10] : [0, 1];
  const limit = Math.max(max, ...data.limits.filter((value) => value <= max * LIMIT_IN_SIGHT));
  if (data.scale === 'log') {
    const least = Math.max(min, 1e-3);
    return [
      10 ** Math.floor(Math.log10(least)),
      10 ** Math.ceil(Math.log10(Math.max(limit, least * 10))),
    ];
  }
  // From zero: a curve that fills its box makes noise look like drift.
  return [Math.min(0, min), limit === 0 ? 1 : limit * 1.08];
}

function drawLimits(chart: uPlot, { limits }: ChartData): void {
  const { ctx, bbox } = chart;
  const scale = chart.scales.y;
  ctx.save();
  ctx.strokeStyle = colour('--limit');
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const limit of limits) {
    if (limit > (scale?.max ?? 0) || limit < (scale?.min ?? 0)) continue;
    const y = Math.round(chart.valToPos(limit, 'y', true));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/**
 * What is measured only now and then is a line all the same; elsewhere a gap means that nothing
 * could be measured.
 */
function isSparse(values: readonly (number | null)[]): boolean {
  return values.filter((value) => value !== null).length < values.length * SPARSE_SHARE;
}

/** A value between two that are missing is no part of a line, and would not be seen. */
function loneMoments(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (_, index) => index).filter(
    (index) => values[index] != null && values[index - 1] == null && values[index + 1] == null,
  );
}

/**
 * uPlot follows the mouse only; on a phone the finger is the cursor, and the page scrolls all the
 * same.
 */
function followTouch(chart: uPlot): void {
  const follow = (event: TouchEvent) => {
    const [touch] = event.touches;
    if (touch === undefined) return;
    const { left } = chart.over.getBoundingClientRect();
    chart.setCursor({ left: touch.clientX - left, top: chart.over.clientHeight / 2 });
  };
  chart.over.addEventListener('touchstart', follow, { passive: true });
  chart.over.addEventListener('touchmove', follow, { passive: true });
}
