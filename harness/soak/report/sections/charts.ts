import { formatQuantity } from '../../../quantity.ts';
import { formatCount } from '../../../units.ts';
import type { PlannedChart, PlannedSeries } from '../drawing/chart-plan.ts';
import { type Html, html } from '../drawing/html.ts';
import { EVENT_KINDS, type EventKind } from '../drawing/page-data.ts';
import type { SampleTable } from '../drawing/sample-table.ts';

const KIND_NAMES: Readonly<Record<EventKind, string>> = {
  rotation: 'rotations',
  compaction: 'compactions',
  reopen: 'reopens',
  kill: 'kills',
};

/** The buttons that show and hide the markers; they are their legend, too. */
export function markersLegend(counts: Readonly<Record<EventKind, number>>): Html {
  return html`${EVENT_KINDS.map((kind) =>
    counts[kind] === 0
      ? ''
      : html`<button type="button" data-toggles="${kind}" aria-pressed="true"><span class="marker ${kind}" aria-hidden="true"></span>${formatCount(counts[kind])} ${KIND_NAMES[kind]}</button>`,
  )}`;
}

/** A place for each chart, and below it what it shows in numbers. */
export function chartsSection(charts: readonly PlannedChart[], samples: SampleTable): Html {
  if (charts.length === 0) return html`<p class="nothing">Nothing was sampled.</p>`;
  return html`${charts.map(
    (chart) => html`<figure><h3 id="${chart.id}-title">${chart.title}</h3>
<div class="plot" data-chart="${chart.id}"></div>
<figcaption id="${valuesId(chart)}">${chartValues(chart, samples)}</figcaption></figure>`,
  )}`;
}

export function valuesId({ id }: PlannedChart): string {
  return `${id}-values`;
}

export function chartValues(chart: PlannedChart, samples: SampleTable): Html {
  return html`<table><caption>${chart.title} in numbers</caption>
<thead><tr><th scope="col">series</th><th scope="col">least</th><th scope="col">mean</th><th scope="col">most</th><th scope="col" data-moment>last</th></tr></thead>
<tbody>${chart.series.map((series, index) => {
    const { least, mean, most, last } = describe(series, chart, samples);
    return html`<tr><th scope="row"><span class="swatch series-${index + 1}" aria-hidden="true"></span>${series.label}</th><td>${least}</td><td>${mean}</td><td>${most}</td><td data-last="${last}">${last}</td></tr>`;
  })}</tbody></table>`;
}

function describe(
  { column, columnScale }: PlannedSeries,
  { unit }: PlannedChart,
  samples: SampleTable,
) {
  let [least, most, sum, count, last] = [Number.NaN, Number.NaN, 0, 0, Number.NaN];
  // A live page does this every second, over all that came so far: nothing is copied.
  for (const value of samples.column(column) ?? []) {
    if (Number.isNaN(value)) continue;
    if (!(value >= least)) least = value;
    if (!(value <= most)) most = value;
    sum += value;
    count++;
    last = value;
  }
  const show = (value: number) => formatQuantity(value * columnScale, unit);
  return { least: show(least), mean: show(sum / count), most: show(most), last: show(last) };
}
