import { formatBytes } from '../../../units.ts';
import type { Summary } from '../../result/summary.ts';
import { type Html, html } from '../drawing/html.ts';

/** What is known of a run from its first moment. */
export type RunIdentity = Pick<
  Summary,
  'command' | 'seed' | 'profile' | 'configuration' | 'versions' | 'host' | 'startedAt'
>;

export function aboutSection(run: RunIdentity): Html {
  const { host, versions } = run;
  return html`<h3>Repeat it</h3>
<div class="command"><pre id="command" tabindex="0">${run.command}</pre><button type="button" data-copies="command">Copy</button></div>
<div class="about">${list('Run', [
    ['seed', run.seed],
    ['profile', run.profile.name ?? run.profile.path ?? 'none: the command line says it all'],
    ['begun', run.startedAt],
    ...Object.entries(versions).map(([name, version]) => [name, String(version)] as const),
  ])}
${list('Host', [
  ['processor', `${host.cpu}, ${host.cores} cores`],
  ['memory', formatBytes(host.memoryBytes)],
  ['system', `${host.platform} ${host.release} ${host.arch}`],
  ['file system', host.fileSystem],
])}
${list('Configuration', flatten(run.configuration))}</div>`;
}

/** Where more can be found, once the run is over. */
export function leftoversSection({ storeDirectory, eventsDropped, sampleCount }: Summary): Html {
  const notes = [
    storeDirectory === null
      ? undefined
      : html`The store still lies in <code>${storeDirectory}</code>.`,
    eventsDropped === 0
      ? undefined
      : html`${eventsDropped} later events are not listed in the summary.`,
    html`Drawn from ${sampleCount} samples; <code>samples.csv</code> and <code>summary.json</code> hold all of it.`,
  ];
  return html`${notes.map((note) => (note === undefined ? '' : html`<p>${note}</p>`))}`;
}

function list(title: string, rows: readonly (readonly [string, string | number])[]): Html {
  return html`<div class="${title.toLowerCase()}"><h3>${title}</h3><dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></div>`;
}

/** `goal.bytes: 1073741824`; a list of plain values on one line. */
function flatten(value: unknown, path = ''): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object'))
    return [[path, value.join(', ')]];
  return Object.entries(value).flatMap(([name, inner]) =>
    inner === undefined ? [] : flatten(inner, path === '' ? name : `${path}.${name}`),
  );
}
