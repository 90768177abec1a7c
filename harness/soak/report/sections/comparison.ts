import { formatQuantity } from '../../../quantity.ts';
import type { Comparison, ComparisonRow } from '../../result/comparison.ts';
import { type Html, html } from '../drawing/html.ts';

const TONES: Readonly<Record<ComparisonRow['verdict'], string>> = {
  worse: 'fail',
  different: 'fail',
  unclear: 'warn',
  better: 'pass',
  same: 'pass',
  'not compared': 'calm',
};

export function comparisonSection({
  directory,
  startedAt,
  seed,
  warnings,
  rows,
}: Comparison): Html {
  return html`<p>Against <code>${directory}</code>, begun ${startedAt}, seed ${seed}.</p>
${warnings.length === 0 ? '' : html`<ul class="warnings">${warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`}
<div class="scroll"><table class="numbers"><caption>This run against the baseline</caption>
<thead><tr><th scope="col">what</th><th scope="col">baseline</th><th scope="col">this run</th><th scope="col">change</th><th scope="col">verdict</th></tr></thead>
<tbody>${rows.map(comparisonRow)}</tbody></table></div>`;
}

function comparisonRow(row: ComparisonRow): Html {
  const { name, base, head, unit, change, interval, verdict, blocks } = row;
  const show = (value: number | null) => (value === null ? '–' : formatQuantity(value, unit));
  const sure =
    interval === undefined
      ? ''
      : html` <small>${share(interval.lower)} to ${share(interval.upper)}, ${Math.round(interval.confidence * 100)} % sure</small>`;
  const tone = TONES[verdict] === 'fail' && !blocks ? 'warn' : TONES[verdict];
  return html`<tr><th scope="row"><code>${name}</code></th><td>${show(base)}</td><td>${show(head)}</td><td>${change === null ? '–' : share(change)}${sure}</td><td><span class="badge ${tone}">${verdict}</span></td></tr>`;
}

function share(change: number): string {
  const percent = change * 100;
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
}
