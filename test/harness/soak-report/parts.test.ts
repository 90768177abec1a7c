import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatQuantity } from '../../../harness/quantity.ts';
import { planCharts } from '../../../harness/soak/report/drawing/chart-plan.ts';
import { html, jsonForScript } from '../../../harness/soak/report/drawing/html.ts';
import { parseSamples } from '../../../harness/soak/report/drawing/sample-table.ts';
import { gatesSection } from '../../../harness/soak/report/sections/gates.ts';
import { describeSeries } from '../../../harness/soak/sampling/series.ts';
import { madeUpGate, madeUpRun } from './made-up-run.ts';

describe('markup', () => {
  test('inserted text stays text, and markup that was made here stays markup', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', 'a', ' ') }),
        (text) => {
          const { text: made } = html`<p title="${text}">${html`<b>${[text]}</b>`}</p>`;
          expect(made).toMatch(/^<p title="[^<>"']*"><b>[^<>"']*<\/b><\/p>$/);
        },
      ),
    );
  });

  test('JSON cannot end the script that it stands in', () => {
    const value = { text: '</script><!--<script>' };
    expect(jsonForScript(value).text).not.toContain('<');
    expect(JSON.parse(jsonForScript(value).text)).toEqual(value);
  });
});

describe('samples.csv', () => {
  test('is read by columns, with NaN where nothing was measured', () => {
    const samples = parseSamples('elapsed_s,fds,phase\n1.000,20,writing\n2.000,,writing\n');
    expect(samples.rowCount).toBe(2);
    expect(samples.column('fds')).toEqual(Float64Array.of(20, Number.NaN));
    expect(samples.column('nothing')).toBeUndefined();
  });

  test('a last line that was cut short is left out', () => {
    expect(parseSamples('elapsed_s,fds\n1.000,20\n2.0').column('elapsed_s')).toEqual(
      Float64Array.of(1),
    );
  });

  test('without a time it is refused', () => {
    expect(() => parseSamples('fds,rss_kb\n1,2\n')).toThrow('elapsed_s');
  });
});

test('every series that was measured is in one chart, with others of its unit only', () => {
  const described = describeSeries();
  const unitOf = new Map(described.map(({ name, unit }) => [name, unit]));
  const charts = planCharts(described, parseSamples(madeUpRun(5).csv));
  const shown = charts.flatMap(({ series }) => series.map(({ name }) => name));
  expect(shown.toSorted()).toEqual(described.map(({ name }) => name).toSorted());
  for (const { unit, series } of charts) {
    for (const { name } of series) expect(unitOf.get(name)).toBe(unit);
  }
  expect(new Set(charts.map(({ id }) => id)).size).toBe(charts.length);
  expect(charts.find(({ id }) => id === 'latency-put')?.series.map(({ label }) => label)).toContain(
    'p99',
  );
});

test('a series of which nothing was measured has no chart', () => {
  const charts = planCharts(describeSeries(), parseSamples('elapsed_s,rss_kb,fds\n1.000,5,\n'));
  expect(charts.map(({ id }) => id)).toEqual(['rss']);
});

test('gates that need looking at come first', () => {
  const { summary, csv } = madeUpRun(5);
  const gates = (['passed', 'skipped', 'failed', 'inconclusive'] as const).map((verdict) =>
    madeUpGate({ name: `this one is ${verdict}`, verdict, passed: verdict === 'passed' }),
  );
  const { text } = gatesSection({ ...summary, gates }, parseSamples(csv));
  const order = [...text.matchAll(/this one is (\w+)/g)].map(([, verdict]) => verdict);
  expect(order).toEqual(['failed', 'inconclusive', 'passed', 'skipped']);
});

test('a gate of which nothing was measured is shown as that', () => {
  const { summary, csv } = madeUpRun(5);
  const gate = madeUpGate({
    name: 'cpu',
    value: null,
    limit: null,
    verdict: 'skipped',
    passed: true,
  });
  const { text } = gatesSection({ ...summary, gates: [gate] }, parseSamples(csv));
  expect(text).toContain('not sampled');
  expect(text).not.toMatch(/NaN|null|undefined/);
});

test.each([
  [131_531_776, 'bytes', '132 MB'],
  [-4, 'bytes/1000 ops', '−4 B/1000 ops'],
  [0.25, 'bytes/1000 ops', '0.25 B/1000 ops'],
  [24_612, 'ops/s', '24.6 k/s'],
  [0.25, 'us', '250 ns'],
  [14.04, 'us', '14 µs'],
  [2_400, 'us', '2.4 ms'],
  [3.2, 'ms', '3.2 ms'],
  [4_056, 'ms', '4.06 s'],
  [Number.NaN, 'count', '–'],
] as const)('%d %s is shown as %s', (value, unit, text) => {
  expect(formatQuantity(value, unit)).toBe(text);
});
