import { formatQuantity } from '../../../quantity.ts';
import type { Gate } from '../../gates/gate.ts';
import { formatOfGate } from '../../gates/gate-quantity.ts';
import type { Invariant } from '../../result/invariants.ts';
import type { Summary } from '../../result/summary.ts';
import { type Html, html } from '../drawing/html.ts';
import type { SampleTable } from '../drawing/sample-table.ts';
import { sparkline } from '../drawing/spark.ts';

const VERDICTS: Readonly<
  Record<Gate['verdict'], { readonly tone: string; readonly glyph: string }>
> = {
  failed: { tone: 'fail', glyph: '✕' },
  inconclusive: { tone: 'warn', glyph: '?' },
  passed: { tone: 'pass', glyph: '✓' },
  skipped: { tone: 'calm', glyph: '–' },
};
const EXCUSED = { tone: 'warn', glyph: '✓' };
/** What needs looking at comes first. */
const ORDER = Object.keys(VERDICTS);
const SIGNS: Readonly<Record<Gate['comparison'], string>> = {
  '<': '<',
  '<=': '≤',
  '>': '>',
  '>=': '≥',
  '==': '=',
};

export type Judged = Pick<Summary, 'gates' | 'invariants' | 'series' | 'warmupEndsAtS'>;

export function gatesSection(judged: Judged, samples: SampleTable): Html {
  const gates = judged.gates.toSorted((a, b) => rankOf(a) - rankOf(b));
  return html`${invariantsList(judged.invariants)}
${
  gates.length === 0
    ? html`<p class="nothing">No gates were judged.</p>`
    : html`<table class="gates"><caption>Every gate, those that need looking at first</caption>
<thead><tr><th scope="col">Verdict</th><th scope="col">Gate</th><th scope="col">Value</th><th scope="col">Limit</th><th scope="col">Of the limit</th><th scope="col">Over the run</th></tr></thead>
<tbody>${gates.map((gate) => gateRow(gate, judged, samples))}</tbody></table>`
}`;
}

/** One that passed with an excuse comes before those that just passed. */
function rankOf({ verdict, excused }: Gate): number {
  return ORDER.indexOf(verdict) - (excused === true ? 0.5 : 0);
}

function gateRow(gate: Gate, judged: Judged, samples: SampleTable): Html {
  const { tone, glyph } = gate.excused === true ? EXCUSED : VERDICTS[gate.verdict];
  return html`<tr class="${tone}"><td><span class="badge ${tone}"><span aria-hidden="true">${glyph}</span> ${gate.verdict}${gate.excused === true ? ', look' : ''}</span></td>
<th scope="row"><code>${gate.name}</code><p>${gate.detail}${gate.aborted ? ' It ended the run.' : ''}</p></th>
<td data-label="Value"><b>${formatOfGate(gate.value, gate)}</b>${interval(gate)}</td>
<td data-label="Limit">${SIGNS[gate.comparison]} ${formatOfGate(gate.limit, gate)}</td>
<td data-label="Of the limit">${meter(gate, tone)}</td>
<td class="picture">${picture(gate, judged, samples)}</td></tr>`;
}

function interval(gate: Gate): Html {
  if (gate.interval === undefined) return html``;
  const { lower, upper, confidence } = gate.interval;
  return html`<small>${formatOfGate(lower, gate)} to ${formatOfGate(upper, gate)}, ${Math.round(confidence * 100)} % sure</small>`;
}

/**
 * How much of the limit is used up; for a floor, how far above it the value is says less than the
 * number.
 */
function meter({ value, limit, comparison, interval }: Gate, tone: string): Html {
  if (value === null || limit === null || !comparison.startsWith('<')) {
    return html`<span class="muted">–</span>`;
  }
  if (limit <= 0) return html`<span class="muted">${value <= limit ? 'none' : 'over'}</span>`;
  const percentOf = (part: number) => Math.round((Math.max(0, part) / limit) * 100);
  // An estimate fails by what it is at least.
  const percent = percentOf(interval?.lower ?? value);
  const text =
    interval === undefined ? `${percent} %` : `${percent}–${percentOf(interval.upper)} %`;
  return html`<span class="meter ${tone}" aria-hidden="true"><svg viewBox="0 0 100 6" preserveAspectRatio="none"><rect width="${Math.min(100, percent)}" height="6"/></svg></span><span>${text}</span>`;
}

function picture(gate: Gate, { series, warmupEndsAtS }: Judged, samples: SampleTable): Html {
  // What was counted at rest is a part of what was sampled on the way.
  const shown = gate.series ?? (gate.kind === 'descriptors' ? 'fds' : undefined);
  const described = series.find(({ name }) => name === shown);
  const column = described === undefined ? undefined : samples.column(described.column);
  const elapsedS = samples.column('elapsed_s');
  if (
    described === undefined ||
    column === undefined ||
    elapsedS === undefined ||
    !samples.hasValues(described.column)
  ) {
    return html`<span class="muted">not sampled</span>`;
  }
  const values = column.map((value) => value * described.columnScale);
  const isComparable = gate.kind === 'limit' && gate.unit === described.unit && gate.limit !== null;
  return sparkline({
    elapsedS,
    values,
    limit: isComparable ? (gate.limit as number) : undefined,
    warmupEndsAtS,
    alternative: `${described.title} over the run: ${extent(values, described.unit)}`,
  });
}

function extent(values: Float64Array, unit: Gate['unit']): string {
  const measured = values.filter((value) => !Number.isNaN(value));
  if (measured.length === 0) return 'nothing was measured';
  const least = measured.reduce((a, b) => Math.min(a, b));
  const most = measured.reduce((a, b) => Math.max(a, b));
  return `from ${formatQuantity(least, unit)} to ${formatQuantity(most, unit)}, at the end ${formatQuantity(measured.at(-1) as number, unit)}`;
}

function invariantsList(invariants: readonly Invariant[]): Html {
  return html`<ul class="invariants">${invariants
    .toSorted((a, b) => Number(a.holds) - Number(b.holds))
    .map(
      ({ name, meaning, holds, violations }) =>
        html`<li class="${holds ? 'pass' : 'fail'}"><span class="badge ${holds ? 'pass' : 'fail'}"><span aria-hidden="true">${holds ? '✓' : '✕'}</span> ${holds ? 'holds' : 'broken'}</span> <span>${meaning}${holds ? '' : html` <code>${name}</code>`}</span>${violationsList(violations)}</li>`,
    )}</ul>`;
}

function violationsList(violations: readonly string[]): Html {
  return violations.length === 0
    ? html``
    : html`<ol>${violations.map((violation) => html`<li><code>${violation}</code></li>`)}</ol>`;
}
