import { basename } from 'node:path';
import { type Html, html } from '../../soak/report/drawing/html.ts';
import { formatDuration } from '../../units.ts';
import { CRASH_PAGE_STYLE } from './crash-page-style.ts';
import { type CrashSummary, type FailureSummary, VERDICTS } from './crash-report.ts';

type Tone = 'pass' | 'fail' | 'warn';

const ICON_COLOURS: Readonly<Record<Tone, string>> = {
  pass: '0f7a41',
  fail: 'b91c2b',
  warn: '8f5200',
};
/** It needs no script and asks for no other file. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/**
 * `report.html` of a crash run, whole. Its first screen says what was promised, what broke, how,
 * and the command that does it again.
 */
export function crashPage(summary: CrashSummary): string {
  const { verdict, subject, startedAt, failures } = summary;
  const tone = toneOf(summary);
  const icon = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#${ICON_COLOURS[tone]}"/></svg>`)}`;
  const [first, ...more] = failures;
  return `<!doctype html>
${
  html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${VERDICTS[verdict]}: ${subject.name}</title>
<link rel="icon" href="${icon}">
<style>${styleSheet()}</style>
</head>
<body>
<header><p class="brand">tidemark crash</p><p>${subject.name}, ${startedAt.slice(0, 16).replace('T', ' ')} UTC</p></header>
<main>
<div class="card verdict tone-${tone}">
<h1><span>${VERDICTS[verdict]}</span>: ${headline(summary, first)}</h1>
<div><h3>Promised</h3>${promised(summary)}</div>
${first === undefined ? repeat('Repeat', summary.command) : broken(first)}
</div>
${more.length === 0 ? undefined : html`<section><h2>${more.length === 1 ? 'One more finding' : `${more.length} more findings`}</h2>${more.map((failure) => html`<div class="card failure"><strong>${nameOf(failure)}: ${clauseOf(summary, failure)}</strong>${broken(failure)}</div>`)}</section>`}
<section><h2>What was done</h2><div class="card">${partsTable(summary)}</div></section>
<section><h2>This run</h2><div class="card">${about(summary)}</div></section>
</main>
</body>
</html>`.text
}
`;
}

function toneOf({ verdict }: CrashSummary): Tone {
  if (verdict === 'pass') return 'pass';
  return verdict === 'broken' ? 'fail' : 'warn';
}

function styleSheet(): Html {
  return html([CRASH_PAGE_STYLE] as unknown as TemplateStringsArray);
}

function headline(summary: CrashSummary, first: FailureSummary | undefined): string {
  const { failures, reason, subject } = summary;
  if (first === undefined) return reason;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `${basename(subject.name)} does not keep “${clauseOf(summary, first)}”${more}`;
}

/** What was broken, as a clause. */
function clauseOf({ parts }: CrashSummary, { part, invariant }: FailureSummary): string {
  return parts[part]?.invariants[invariant] ?? invariant;
}

function nameOf({ part, invariant }: FailureSummary): string {
  return `${part}, ${invariant}`;
}

function promised({ subject }: CrashSummary): Html {
  const { contract, promises, assumed, refusals, volatileFiles } = subject;
  return html`<ul class="plain">${promises.map((sentence) => html`<li>${sentence}${assumed.includes(sentence) ? html`<span class="assumed"> (assumed: nobody has said)</span>` : undefined}</li>`)}${refusals.map((refusal) => html`<li class="assumed">it does not take ${refusal}</li>`)}${volatileFiles.map((name) => html`<li class="assumed">no image of a power cut holds ${name}: the adapter says that it is volatile</li>`)}</ul><p class="assumed"><code>${contract}</code></p>`;
}

function broken({ part, message, story, command, directory }: FailureSummary): Html {
  const [, model, told = message] = /^\[(\w+)\] (.*)$/s.exec(message) ?? [];
  const advice = /A sync of .* would have been enough\.|No single sync .*?\./.exec(told)?.[0];
  const found = told.indexOf('What is found then: ');
  const before = told.slice(0, found === -1 ? undefined : found).replace(advice ?? '', '');
  return html`<div><h3>What broke</h3><p class="story"><span class="tag">${part}</span> ${model === undefined ? undefined : html`<span class="tag">${model}</span> `}${before}</p>${found === -1 ? undefined : html`<p class="story"><strong>${told.slice(found)}</strong></p>`}</div>
${advice === undefined ? undefined : html`<p class="advice">${advice}</p>`}
${repeat('Do it again', command)}
${story.length === 0 ? undefined : html`<details open><summary>The story, step by step</summary><pre>${story.map(storyLine)}</pre></details>`}
<p class="assumed">Kept in <code>${directory}</code></p>`;
}

const LINE_KINDS: readonly (readonly [RegExp, string])[] = [
  [/^\s+the power goes$/, 'cut'],
  [/^ {2}- /, 'lost'],
  [/^ {2}~ /, 'torn'],
  [/^ {2}> /, 'said'],
];

function storyLine(line: string): Html {
  const kind = LINE_KINDS.find(([pattern]) => pattern.test(line))?.[1];
  return kind === undefined ? html`${line}\n` : html`<span class="${kind}">${line}</span>\n`;
}

function repeat(title: string, command: string): Html {
  return html`<div><h3>${title}</h3><pre class="command">${command}</pre></div>`;
}

function partsTable(summary: CrashSummary): Html {
  const { parts, failures } = summary;
  return html`<table><thead><tr><th>part</th><th>verdict</th><th>what was seen</th></tr></thead><tbody>${Object.entries(
    parts,
  ).map(([name, { rows, isConclusive, durationMs }]) => {
    const count = failures.filter(({ part }) => part === name).length;
    const [tone, word] =
      count > 0
        ? ['fail', `${count} broken`]
        : isConclusive
          ? ['pass', 'kept']
          : ['warn', 'too little'];
    return html`<tr><th>${name}</th><td class="mark ${tone}">${word}</td><td>${rows.map(([row, text]) => html`<p>${row === name ? '' : `${row}: `}${text}</p>`)}<p class="assumed">${formatDuration(durationMs)}</p></td></tr>`;
  })}</tbody></table>`;
}

function about(summary: CrashSummary): Html {
  const { command, seed, profile, durationMs, versions, host } = summary;
  const rows: readonly (readonly [string, string])[] = [
    ['command', command],
    ['seed', String(seed)],
    ['profile', profile],
    ['took', formatDuration(durationMs)],
    ['versions', `tidemark ${versions.tidemark}, Node ${versions.node}`],
    ['machine', host.machineClass],
  ];
  return html`<dl>${rows.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>`;
}
