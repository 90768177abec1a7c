import { formatSeconds } from '../../../units.ts';
import type { Summary } from '../../result/summary.ts';
import { type Html, html } from '../drawing/html.ts';

interface Look {
  readonly title: string;
  readonly tone: 'pass' | 'fail' | 'warn' | 'calm';
  readonly glyph: string;
}

const LOOKS: Readonly<Record<Summary['verdict'], Look>> = {
  pass: { title: 'Passed', tone: 'pass', glyph: '✓' },
  broken: { title: 'Broken', tone: 'fail', glyph: '✕' },
  threshold: { title: 'Threshold crossed', tone: 'fail', glyph: '▲' },
  inconclusive: { title: 'Inconclusive', tone: 'warn', glyph: '?' },
  interrupted: { title: 'Interrupted', tone: 'calm', glyph: '■' },
};

export function verdictTitle({ verdict }: Summary): string {
  return LOOKS[verdict].title;
}

export function verdictTone({ verdict }: Summary): Look['tone'] {
  return LOOKS[verdict].tone;
}

export function verdictSection(summary: Summary): Html {
  const { title, tone, glyph } = LOOKS[summary.verdict];
  return html`<div class="verdict ${tone}">
<span class="glyph" aria-hidden="true">${glyph}</span>
<div><h1>${title}</h1><p>${sentence(summary.reason)}</p></div>
<p class="exit">exit <b>${summary.exitCode}</b></p>
${lastWords(summary)}</div>`;
}

export interface Progress {
  readonly elapsedS: number;
  /**
   * The share of the goal that is done, from 0 to 1; undefined when the run has no end of its own.
   */
  readonly share: number | undefined;
  readonly failedGates: readonly string[];
}

/** Stands in place of the verdict while the soak runs. */
export function progressSection({ elapsedS, share, failedGates }: Progress): Html {
  const isWell = failedGates.length === 0;
  const soFar = isWell
    ? 'nothing wrong was seen so far'
    : `over the limit so far: ${failedGates.join(', ')}`;
  const percent = share === undefined ? undefined : Math.floor(share * 100);
  const remaining =
    share === undefined || share < 0.02 || share >= 1
      ? ''
      : `, about ${formatSeconds((elapsedS / share) * (1 - share))} to go`;
  return html`<div class="verdict ${isWell ? 'calm' : 'warn'}">
<span class="glyph running" aria-hidden="true">●</span>
<div><h1>Running</h1><p>${sentence(`${formatSeconds(elapsedS)} passed${remaining}; ${soFar}`)}</p></div>
${
  percent === undefined
    ? ''
    : html`<p class="exit"><b>${percent} %</b></p>
<progress value="${percent}" max="100" aria-label="Progress of the soak">${percent} %</progress>`
}</div>`;
}

/** What the store process printed before an end that nobody asked for. */
function lastWords({ process, outcome }: Summary): Html {
  const { lastWords } = process;
  const hasFailed = outcome === null || outcome.kind === 'failed';
  return hasFailed && lastWords.length > 0
    ? html`<details open><summary>The last lines of the store process</summary><pre>${lastWords.join('\n')}</pre></details>`
    : html``;
}

/** The name of a gate or a series is no word to be capitalized. */
function sentence(text: string): string {
  const ended = /[.!?…]$/.test(text) ? text : `${text}.`;
  return /^[a-z]+[ ,;]/.test(ended) ? ended.charAt(0).toUpperCase() + ended.slice(1) : ended;
}
