import { formatCount } from '../units.ts';
import type { CampaignFile } from './campaign-schema.ts';
import {
  type MergedCampaign,
  type MergedFinding,
  type MergedPart,
  NOT_DETERMINISTIC,
} from './merge.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
const MERGED_SCHEMA = 1;

type Invariants = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `summary.json` of a merged campaign. */
export function mergedSummary(
  campaign: CampaignFile,
  merged: MergedCampaign,
  again: string,
): object {
  const { id, profile, seed, build, node } = campaign;
  return {
    schema: MERGED_SCHEMA,
    kind: 'tidemark-merged',
    campaign: { id, profile, seed, build, node },
    ...merged,
    missingCommand: missingCommand(merged, again),
  };
}

/** Does just what is missing; undefined when nothing is. */
export function missingCommand({ missing }: MergedCampaign, again: string): string | undefined {
  const lists = Object.entries(missing).map(([part, list]) => `--units ${part}:${list}`);
  return lists.length === 0 ? undefined : `${again} ${lists.join(' ')} --out blob-missing`;
}

const VERDICTS = { pass: 'PASS', broken: 'BROKEN', inconclusive: 'INCONCLUSIVE' } as const;

/** For people, on a terminal. */
export function describeMerged(merged: MergedCampaign, again: string): string {
  const { verdict, reason, parts, findings, blobs, digest, skipped, tooLittle, doubles } = merged;
  const command = missingCommand(merged, again);
  return [
    `${VERDICTS[verdict]}: ${reason}`,
    ...Object.entries(parts).map(([name, part]) => `  ${name.padEnd(11)}${describePart(part)}`),
    `  blobs      ${blobs}, digest ${digest}${doubles > 0 ? `, ${doubles} units came twice and agree` : ''}`,
    ...Object.entries(skipped).map(([why, count]) => `  skipped    ${count}: ${why}`),
    ...tooLittle.map((text) => `  too little ${text}`),
    ...findings.flatMap((finding) => [
      `  ${finding.part}: ${finding.invariant}: ${finding.message.split('\n', 1)[0]}`,
      `    ${unitsOfFinding(finding)}; again with: ${finding.command}`,
    ]),
    ...(command === undefined ? [] : [`  missing    ${command}`]),
  ].join('\n');
}

function unitsOfFinding({ units }: MergedFinding): string {
  const [first] = units;
  return units.length === 1 ? `unit ${first}` : `${units.length} units, the first ${first}`;
}

function describePart({ planned, done, broken, skipped, counts, cpuMs }: MergedPart): string {
  const figures = Object.entries(counts).map(([name, count]) => `${formatCount(count)} ${name}`);
  const odd = [
    ...(broken > 0 ? [`${broken} broken`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  return `${formatCount(done)} of ${formatCount(planned)} units${odd.map((text) => `, ${text}`).join('')}: ${figures.join(', ')}; ${(cpuMs / 1000).toFixed(1)} s of the processor`;
}

/** One case per invariant of each part, one for what is missing, and one for what contradicts. */
export function mergedCases(
  { parts, findings, missing, tooLittle }: MergedCampaign,
  invariants: Invariants,
): { suite: string; name: string; failures: string[] }[] {
  const told = ({ message, command, units }: MergedFinding) =>
    `${message}\n${units.length} units; again with: ${command}`;
  return Object.keys(parts).flatMap((suite) => {
    const own = findings.filter(({ part }) => part === suite);
    const known: Record<string, string> = { ...invariants[suite] };
    for (const { invariant } of own) known[invariant] ??= invariant;
    const lack = [
      ...(missing[suite] === undefined ? [] : [`missing units: ${missing[suite]}`]),
      ...tooLittle.filter((text) => text.startsWith(`${suite}: `)),
    ];
    return [
      { suite, name: 'complete: every unit is there, and saw enough', failures: lack },
      ...Object.entries(known).map(([name, clause]) => ({
        suite,
        name: name === NOT_DETERMINISTIC ? name : `${name}: ${clause}`,
        failures: own.filter(({ invariant }) => invariant === name).map(told),
      })),
    ];
  });
}

/** One offline page: verdict, parts, invariants by parts, findings. */
export function mergedPage(
  { id, profile, seed, build, node }: CampaignFile,
  merged: MergedCampaign,
  again: string,
  invariants: Invariants,
): string {
  const { verdict, reason, parts, findings, digest } = merged;
  const names = Object.keys(parts);
  const rows = [...new Set(names.flatMap((name) => Object.keys(invariants[name] ?? {})))];
  const cell = (part: string, invariant: string): string => {
    if (invariants[part]?.[invariant] === undefined) return '';
    const broken = findings
      .filter((one) => one.part === part && one.invariant === invariant)
      .reduce((sum, { units }) => sum + units.length, 0);
    const { done, skipped } = parts[part] as MergedPart;
    return broken > 0 ? `<b>${broken} broken</b>` : String(done - skipped);
  };
  const command = missingCommand(merged, again);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${VERDICTS[verdict]}: campaign ${id}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { border: 1px solid #8888; padding: .2rem .6rem;
text-align: left } td.n { text-align: right } .broken { color: #b00020 } .inconclusive { color: #8a6100 }
.pass { color: #1b6e2c } code { overflow-wrap: anywhere }
</style>
<h1 class="${verdict}">${VERDICTS[verdict]}</h1>
<p>${escaped(reason)}</p>
<p>Campaign <code>${id}</code>, profile ${escaped(profile)}, seed ${seed}, build <code>${build.slice(0, 16)}</code>, Node ${node}, digest <code>${digest}</code></p>
${command === undefined ? '' : `<p>What is missing, and only that: <code>${escaped(command)}</code></p>`}
${merged.tooLittle.map((text) => `<p>Too little: ${escaped(text)}</p>`).join('\n')}
<h2>Parts</h2>
<table><tr><th>part<th>units<th>broken<th>skipped<th>counts<th>processor<th>slowest unit</tr>
${Object.entries(parts)
  .map(
    ([name, { planned, done, broken, skipped, counts, cpuMs, slowestUnitMs }]) =>
      `<tr><td>${escaped(name)}<td class="n">${done} of ${planned}<td class="n">${broken}<td class="n">${skipped}<td>${escaped(
        Object.entries(counts)
          .map(([count, value]) => `${formatCount(value)} ${count}`)
          .join(', '),
      )}<td class="n">${(cpuMs / 1000).toFixed(1)} s<td class="n">${(slowestUnitMs / 1000).toFixed(1)} s</tr>`,
  )
  .join('\n')}
</table>
<h2>Invariants by parts: units that held</h2>
<table><tr><th>invariant${names.map((name) => `<th>${escaped(name)}`).join('')}</tr>
${rows
  .map(
    (row) =>
      `<tr><td>${escaped(row)}${names.map((name) => `<td class="n">${cell(name, row)}`).join('')}</tr>`,
  )
  .join('\n')}
</table>
<h2>Findings</h2>
${findings.length === 0 ? '<p>None.</p>' : ''}
${findings
  .map(
    (one, at) =>
      `<h3>${at + 1}. ${escaped(one.part)}: ${escaped(one.invariant)}</h3><p>${escaped(one.message)}</p><p>${unitsOfFinding(one)}. ${one.kept === undefined ? '' : `Kept in <code>failures/${at + 1}</code>. `}Again with: <code>${escaped(one.command)}</code></p>`,
  )
  .join('\n')}
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * The result in the text format of Prometheus, for a Pushgateway or the textfile collector of
 * node_exporter. `atSeconds` is the time of the merge.
 */
export function mergedMetrics(
  { profile }: CampaignFile,
  merged: MergedCampaign,
  atSeconds: number,
): string {
  const labels = (more: Readonly<Record<string, string>>) =>
    `{${Object.entries({ profile, ...more })
      .map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, ' ')}"`)
      .join()}}`;
  const family = (name: string, help: string, samples: readonly string[]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...samples,
  ];
  const parts = Object.entries(merged.parts);
  const perPart = (name: string, value: (part: MergedPart) => number) =>
    parts.map(([part, figures]) => `${name}${labels({ part })} ${value(figures)}`);
  const units = 'tidemark_campaign_units';
  const states = {
    held: ({ done, broken, skipped }: MergedPart) => done - broken - skipped,
    broken: ({ broken }: MergedPart) => broken,
    skipped: ({ skipped }: MergedPart) => skipped,
    missing: ({ planned, done }: MergedPart) => planned - done,
  };
  return `${[
    ...family(
      'tidemark_campaign_verdict',
      'One for the verdict of the last merged campaign, zero for the others.',
      Object.keys(VERDICTS).map(
        (verdict) =>
          `tidemark_campaign_verdict${labels({ verdict })} ${Number(verdict === merged.verdict)}`,
      ),
    ),
    ...family(
      units,
      'Units of the last merged campaign, by what became of them.',
      Object.entries(states).flatMap(([state, value]) =>
        parts.map(([part, figures]) => `${units}${labels({ part, state })} ${value(figures)}`),
      ),
    ),
    ...family(
      'tidemark_campaign_counted',
      'What the units of the last merged campaign counted.',
      parts.flatMap(([part, { counts }]) =>
        Object.entries(counts).map(
          ([count, value]) => `tidemark_campaign_counted${labels({ part, count })} ${value}`,
        ),
      ),
    ),
    ...family(
      'tidemark_campaign_findings',
      'Kinds of findings in the last merged campaign.',
      parts.map(
        ([part]) =>
          `tidemark_campaign_findings${labels({ part })} ${merged.findings.filter((one) => one.part === part).length}`,
      ),
    ),
    ...family(
      'tidemark_campaign_processor_seconds',
      'Processor time that the units of the last merged campaign took.',
      perPart('tidemark_campaign_processor_seconds', ({ cpuMs }) => cpuMs / 1000),
    ),
    ...family('tidemark_campaign_merged_timestamp_seconds', 'When the campaign was merged.', [
      `tidemark_campaign_merged_timestamp_seconds${labels({})} ${atSeconds}`,
    ]),
  ].join('\n')}\n`;
}
