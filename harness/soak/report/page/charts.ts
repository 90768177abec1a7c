import type uPlot from 'uplot';
import { formatQuantity } from '../../../quantity.ts';
import { downsample } from '../drawing/downsample.ts';
import type { ChartData, EventKind, LiveUpdate, PageData, Span } from '../drawing/page-data.ts';
import { alignedOf, drawChart } from './chart.ts';
import { formatElapsed } from './elapsed.ts';

/** A live page that has grown to more moments than this is thinned to what a screen can show. */
const MOST_MOMENTS = 5_000;
const THINNED_BUCKETS = 1_000;

/** All time series of the page: one axis of time, one cursor, one set of markers. */
export class Charts {
  private readonly hiddenKinds = new Set<EventKind>();
  private readonly drawn = new Map<string, uPlot>();
  private data: PageData;
  private window: readonly [number, number] | undefined;
  private readonly resetButton: HTMLButtonElement;

  constructor(data: PageData, resetButton: HTMLButtonElement) {
    this.data = data;
    this.resetButton = resetButton;
    resetButton.addEventListener('click', () => this.show(undefined));
    new ResizeObserver(() => this.fit()).observe(document.getElementById('charts') as HTMLElement);
  }

  /** Draws what is not drawn yet; a fragment may have brought new places. */
  drawAll(): void {
    for (const chart of this.data.charts) {
      const place = placeOf(chart.id);
      if (place === null || place.querySelector('canvas') !== null) continue;
      this.drawn.get(chart.id)?.destroy();
      this.drawn.set(chart.id, this.draw(place, chart));
    }
  }

  /** Draws again, with the colours that hold now. */
  redraw(): void {
    for (const chart of this.drawn.values()) chart.redraw(false);
  }

  replace(data: PageData): void {
    for (const chart of this.drawn.values()) chart.destroy();
    this.drawn.clear();
    this.data = data;
    this.drawAll();
  }

  add({ moments, events }: LiveUpdate): void {
    const { data } = this;
    const charts = data.charts.map((chart, chartIndex) => ({
      ...chart,
      series: chart.series.map((series, index) => ({
        ...series,
        values: [
          ...series.values,
          ...moments.map(({ values }) => values[chartIndex]?.[index] ?? null),
        ],
      })),
    }));
    this.data = {
      ...data,
      elapsedS: [...data.elapsedS, ...moments.map(({ elapsedS }) => elapsedS)],
      charts,
      events: withEvents(data.events, events),
    };
    if (this.data.elapsedS.length > MOST_MOMENTS) this.data = thinned(this.data);
    for (const chart of this.data.charts) {
      const drawn = this.drawn.get(chart.id);
      drawn?.setData(alignedOf(chart, this.data.elapsedS));
      this.tell(chart.id, drawn?.cursor.idx ?? null);
    }
  }

  toggle(kind: EventKind): boolean {
    const isShown = this.hiddenKinds.delete(kind);
    if (!isShown) this.hiddenKinds.add(kind);
    this.redraw();
    return isShown;
  }

  private draw(place: HTMLElement, chart: ChartData): uPlot {
    const charts = this;
    return drawChart(place, chart, {
      get elapsedS() {
        return charts.data.elapsedS;
      },
      get events() {
        return charts.data.events;
      },
      warmupEndsAtS: this.data.warmupEndsAtS,
      isShown: (kind) => !this.hiddenKinds.has(kind),
      window: () => this.window,
      windowChosen: (beginS, endS) => this.show([beginS, endS]),
      windowReset: () => this.show(undefined),
      cursorMoved: (index) => this.tell(chart.id, index),
    });
  }

  private show(window: readonly [number, number] | undefined): void {
    this.window = window;
    this.resetButton.hidden = window === undefined;
    for (const { id } of this.data.charts) {
      const chart = this.drawn.get(id);
      // The data is the same; the scales are found anew.
      chart?.setData(chart.data);
    }
  }

  /** The last column of the table below a chart becomes the moment under the cursor. */
  private tell(id: string, index: number | null): void {
    const table = document.getElementById(`${id}-values`);
    const chart = this.data.charts.find((one) => one.id === id);
    if (table === null || chart === undefined) return;
    const heading = table.querySelector<HTMLElement>('[data-moment]') as HTMLElement;
    const elapsedS = index === null ? undefined : this.data.elapsedS[index];
    heading.textContent = elapsedS === undefined ? 'last' : `at ${formatElapsed(elapsedS)}`;
    for (const [position, cell] of table.querySelectorAll<HTMLElement>('[data-last]').entries()) {
      const value = index === null ? undefined : chart.series[position]?.values[index];
      if (index === null) cell.textContent = cell.dataset.last ?? '';
      else cell.textContent = typeof value === 'number' ? formatQuantity(value, chart.unit) : '–';
    }
  }

  private fit(): void {
    for (const [id, chart] of this.drawn) {
      const width = placeOf(id)?.clientWidth ?? 0;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: chart.height });
    }
  }
}

function placeOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-chart="${CSS.escape(id)}"]`);
}

function withEvents(before: PageData['events'], added: LiveUpdate['events']): PageData['events'] {
  const events: Record<EventKind, readonly Span[]> = { ...before };
  for (const event of added) events[event.kind] = [...events[event.kind], event];
  return events;
}

function thinned(data: PageData): PageData {
  const all = data.charts.flatMap(({ series }) =>
    series.map(({ values }) => values.map((value) => value ?? Number.NaN)),
  );
  const { elapsedS, values } = downsample(
    { elapsedS: data.elapsedS, values: all },
    THINNED_BUCKETS,
  );
  let next = 0;
  const charts = data.charts.map((chart) => ({
    ...chart,
    series: chart.series.map((series) => ({
      ...series,
      values: values[next++] as (number | null)[],
    })),
  }));
  return { ...data, elapsedS, charts };
}
