import { formatQuantity } from '../../../quantity.ts';
import { formatBytes, formatCount, formatDuration } from '../../../units.ts';
import type { Summary } from '../../result/summary.ts';
import { type Html, html } from '../drawing/html.ts';

/** The numbers that one looks for first. Undefined ones are not shown. */
export interface Facts {
  readonly durationMs: number;
  readonly bytesWritten: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly operations: number | undefined;
  readonly peakRssBytes: number | undefined;
  readonly putP99Us: number | undefined;
  readonly keysChecked: number | undefined;
  readonly gates: { readonly passed: number; readonly judged: number } | undefined;
}

export function factsOf(summary: Summary): Facts {
  const { totals, gates, latency } = summary;
  const judged = gates.filter(({ verdict }) => verdict !== 'skipped');
  return {
    durationMs: summary.durationMs,
    bytesWritten: totals?.bytesWritten,
    bytesPerSecond: summary.userBytesPerSecond ?? undefined,
    operations: totals?.operations,
    peakRssBytes: summary.peakRssBytes ?? undefined,
    putP99Us: latency.find(({ operation }) => operation === 'put')?.p99Us,
    keysChecked: totals?.keysChecked,
    gates: { passed: judged.filter(({ passed }) => passed).length, judged: judged.length },
  };
}

export function factsSection(facts: Facts): Html {
  const { durationMs, operations, gates } = facts;
  const operationsPerSecond =
    operations === undefined ? undefined : operations / (durationMs / 1000);
  const shown: readonly (readonly [string, string | undefined, (string | undefined)?])[] = [
    ['Gates', map(gates, ({ passed, judged }) => `${passed} of ${judged}`), 'passed'],
    ['Duration', formatDuration(durationMs)],
    [
      'Written',
      map(facts.bytesWritten, formatBytes),
      map(facts.bytesPerSecond, (rate) => `${formatBytes(rate)}/s`),
    ],
    [
      'Operations',
      map(operations, shortCount),
      map(operationsPerSecond, (rate) => formatQuantity(rate, 'ops/s')),
    ],
    ['Peak memory', map(facts.peakRssBytes, formatBytes), 'resident'],
    ['Put, 99 %', map(facts.putP99Us, (latency) => formatQuantity(latency, 'us')), 'or faster'],
    ['Keys compared', map(facts.keysChecked, shortCount), 'with the oracle'],
  ];
  return html`<dl class="facts">${shown.map(([name, value, note]) =>
    value === undefined
      ? ''
      : html`<div><dt>${name}</dt><dd><b>${value}</b> ${note === undefined ? '' : html`<small>${note}</small>`}</dd></div>`,
  )}</dl>`;
}

function map<T>(value: T | undefined, show: (value: T) => string): string | undefined {
  return value === undefined ? undefined : show(value);
}

/** Ten million in full is more than a tile holds. */
function shortCount(count: number): string {
  if (count < 1e6) return formatCount(count);
  return count < 1e9 ? `${(count / 1e6).toPrecision(3)} M` : `${(count / 1e9).toPrecision(3)} G`;
}
