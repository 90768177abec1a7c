import { formatQuantity } from '../../../quantity.ts';
import { formatCount } from '../../../units.ts';
import type { OperationLatency } from '../../run/operation-latency.ts';
import { type Html, html } from '../drawing/html.ts';

const WIDTH = 420;
const HEIGHT = 120;
const AXIS = 18;
const BARS = 56;
const LABEL_WIDTH = 34;
const MARKED = [
  ['p50', 'p50Us'],
  ['p99', 'p99Us'],
  ['p99.9', 'p999Us'],
] as const;

export function latencySection(
  latency: readonly OperationLatency[],
  coverage: string | null,
): Html {
  if (latency.length === 0) return html`<p class="nothing">No latency was measured.</p>`;
  return html`<div class="scroll"><table class="numbers latencies"><caption>Latency by operation, over the whole run</caption>
<thead><tr><th scope="col">operation</th>${['count', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${latency.map(
    (one) =>
      html`<tr><th scope="row">${one.operation}</th><td>${formatCount(one.count)}</td>${[one.meanUs, one.p50Us, one.p90Us, one.p99Us, one.p999Us, one.maxUs].map((value) => html`<td>${formatQuantity(value, 'us')}</td>`)}</tr>`,
  )}</tbody></table></div>
${coverage === null ? '' : html`<p>Of ${coverage}.</p>`}
<div class="histograms">${latency.filter(({ buckets }) => buckets.length > 0).map(histogram)}</div>`;
}

/** Time runs by factors, and so do the counts: the few slow ones are what one looks for. */
function histogram(latency: OperationLatency): Html {
  const bars = barsOf(latency);
  const highest = Math.log10(bars.reduce((most, { count }) => Math.max(most, count), 1) + 1);
  const fromExponent = Math.floor(Math.log10(bars[0]?.fromUs ?? 1));
  const toExponent = Math.ceil(Math.log10(bars.at(-1)?.upToUs ?? 10));
  const x = (microseconds: number) =>
    round(
      ((Math.log10(Math.max(microseconds, 1e-3)) - fromExponent) / (toExponent - fromExponent)) *
        WIDTH,
    );
  const base = HEIGHT - AXIS;
  const decades = Array.from(
    { length: toExponent - fromExponent + 1 },
    (_, index) => 10 ** (fromExponent + index),
  );
  const { operation, count, p50Us, p99Us, maxUs } = latency;
  const alternative = `Latency of ${operation}: ${formatCount(count)} operations, half within ${formatQuantity(p50Us, 'us')}, 99 % within ${formatQuantity(p99Us, 'us')}, the slowest ${formatQuantity(maxUs, 'us')}`;
  return html`<figure><h3>${operation}</h3><svg class="histogram" viewBox="0 -12 ${WIDTH} ${HEIGHT + 12}" role="img" aria-label="${alternative}">
${decades.map((decade, index) => html`<line class="grid" x1="${x(decade)}" x2="${x(decade)}" y2="${base}"/><text class="axis" x="${x(decade)}" y="${HEIGHT - 4}" text-anchor="${anchor(index, decades.length)}">${formatQuantity(decade, 'us')}</text>`)}
${bars.map(({ fromUs, upToUs, count: within }) => {
  const height = round((Math.log10(within + 1) / highest) * (base - 4));
  const width = Math.max(1, x(upToUs) - x(fromUs) - 0.6);
  return html`<rect x="${x(fromUs)}" y="${round(base - height)}" width="${round(width)}" height="${height}"><title>${formatCount(within)} up to ${formatQuantity(upToUs, 'us')}</title></rect>`;
})}
${MARKED.map(([, field]) => html`<line class="percentile" x1="${x(latency[field])}" x2="${x(latency[field])}" y2="${base}"/>`)}
${labelsApart(MARKED.map(([name, field]) => ({ name, x: x(latency[field]) }))).map((label) => html`<text class="percentile" x="${label.x}" y="-3" text-anchor="middle">${label.name}</text>`)}</svg></figure>`;
}

interface Label {
  readonly name: string;
  readonly x: number;
}

/** Those that would cover the one before are left out; their lines are there. */
function labelsApart(labels: readonly Label[]): Label[] {
  const apart: Label[] = [];
  for (const label of labels) {
    if (label.x - (apart.at(-1)?.x ?? Number.NEGATIVE_INFINITY) >= LABEL_WIDTH) apart.push(label);
  }
  return apart;
}

interface Bar {
  readonly fromUs: number;
  readonly upToUs: number;
  readonly count: number;
}

/** Neighbouring buckets become one bar until there are few enough to be seen. */
function barsOf({ buckets }: OperationLatency): Bar[] {
  const filled = buckets.filter(({ count }) => count > 0);
  const least =
    buckets[buckets.findIndex(({ count }) => count > 0) - 1]?.upToUs ??
    (filled[0]?.upToUs ?? 1) / 2;
  const from = Math.max(least, 1e-3);
  const to = filled.at(-1)?.upToUs ?? 1;
  const step = Math.max(Math.log(to / from), 1e-9) / BARS;
  const bars: Bar[] = [];
  let beginUs = from;
  let count = 0;
  for (const bucket of buckets.filter(({ upToUs }) => upToUs > from && upToUs <= to)) {
    count += bucket.count;
    if (Math.log(bucket.upToUs / beginUs) < step && bucket.upToUs < to) continue;
    if (count > 0) bars.push({ fromUs: beginUs, upToUs: bucket.upToUs, count });
    beginUs = bucket.upToUs;
    count = 0;
  }
  return bars;
}

function anchor(index: number, count: number): string {
  if (index === 0) return 'start';
  return index === count - 1 ? 'end' : 'middle';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
