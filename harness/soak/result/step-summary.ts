import { appendToJobPage, cell, repeatLines } from '../../job-page.ts';
import { formatQuantity, type Unit } from '../../quantity.ts';
import { formatBytes, formatDuration } from '../../units.ts';
import type { Gate } from '../gates/gate.ts';
import type { Summary } from './summary.ts';

const MARKS: Readonly<Record<Gate['verdict'], string>> = {
  passed: '✅',
  failed: '❌',
  inconclusive: '❔',
  skipped: '➖',
};

/** Appends to the page that GitHub shows of a job, when there is one. */
export function writeStepSummary(summary: Summary): void {
  appendToJobPage(markdownOf(summary));
}

export function markdownOf(summary: Summary): string {
  const { verdict, reason, totals, durationMs, gates, invariants, baseline, command } = summary;
  const broken = invariants.filter(({ holds }) => !holds);
  return [
    `## Soak: ${verdict}`,
    '',
    cell(reason),
    '',
    ...(totals === null
      ? []
      : [
          `${formatBytes(totals.bytesWritten)} in ${formatDuration(durationMs)}, ${formatBytes(summary.userBytesPerSecond ?? 0)}/s, ${totals.reopens} reopens, ${totals.compacts} compactions, ${totals.keysChecked} comparisons.`,
          '',
        ]),
    ...broken.flatMap(({ meaning, violations }) => [
      `- ❌ ${cell(meaning)}: ${cell(violations[0] ?? '')}`,
      '',
    ]),
    '| | gate | what was seen |',
    '|---|---|---|',
    ...gates.map(
      ({ name, verdict: one, detail, excused }) =>
        `| ${excused === true ? '⚠️' : MARKS[one]} | ${cell(name)} | ${cell(detail)} |`,
    ),
    '',
    ...(baseline === null ? [] : baselineLines(baseline)),
    ...repeatLines(command),
  ].join('\n');
}

function baselineLines({ warnings, rows }: NonNullable<Summary['baseline']>): string[] {
  return [
    '### Against the baseline',
    '',
    ...warnings.map((warning) => `- ${cell(warning)}`),
    '',
    '| | number | before | now | change |',
    '|---|---|---|---|---|',
    ...rows
      .filter(({ verdict }) => verdict !== 'not compared')
      .map(({ blocks, name, base, head, unit, change, verdict }) => {
        const percent =
          change === null ? '' : `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)} %`;
        return `| ${blocks ? '❌' : '✅'} | ${name} | ${shown(base, unit)} | ${shown(head, unit)} | ${percent} ${verdict} |`;
      }),
    '',
  ];
}

function shown(value: number | null, unit: Unit): string {
  return value === null ? '' : formatQuantity(value, unit);
}
