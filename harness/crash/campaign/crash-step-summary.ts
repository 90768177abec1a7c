import { appendToJobPage, cell, repeatLines } from '../../job-page.ts';
import { type CrashSummary, VERDICTS } from './crash-report.ts';

/** Appends to the page that GitHub shows of a job, when there is one. */
export function writeStepSummary(summary: CrashSummary): void {
  appendToJobPage(markdownOf(summary));
}

export function markdownOf(summary: CrashSummary): string {
  const { verdict, reason, subject, parts, failures, command } = summary;
  return [
    `## Crash: ${VERDICTS[verdict]}`,
    '',
    `${cell(subject.name)} promises: ${cell(subject.contract)}. ${cell(reason)}`,
    '',
    '| | part | what was seen |',
    '|---|---|---|',
    ...Object.entries(parts).map(([name, { rows, isConclusive }]) => {
      const isBroken = failures.some(({ part }) => part === name);
      const mark = isBroken ? '❌' : isConclusive ? '✅' : '❔';
      const told = rows.map(([row, text]) => (row === name ? text : `${row}: ${text}`));
      return `| ${mark} | ${cell(name)} | ${cell(told.join('; '))} |`;
    }),
    '',
    ...failures.flatMap(({ invariant, message, command: again }) => [
      `- ❌ ${cell(`${invariant}: ${message}`)}`,
      '',
      '  ```sh',
      `  ${again}`,
      '  ```',
    ]),
    ...repeatLines(command),
  ].join('\n');
}
