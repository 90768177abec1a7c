import { expect, test } from 'vitest';
import { crashPage } from '../../harness/crash/campaign/crash-page.ts';
import {
  type CrashSummary,
  describeCampaign,
  junitCases,
} from '../../harness/crash/campaign/crash-report.ts';
import { markdownOf } from '../../harness/crash/campaign/crash-step-summary.ts';
import { madeUpSummary } from './soak-report/made-up-crash.ts';

const textOf = (page: string) =>
  page
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

/** Every text of a report stands in this order. */
function expectInOrder(text: string, parts: readonly string[]): void {
  let from = 0;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    expect(at, `${part}, behind the first ${from} characters of ${text}`).toBeGreaterThanOrEqual(0);
    from = at + part.length;
  }
}

test('the page says what was promised, what broke, what would have helped and what to run, in this order', () => {
  const summary = madeUpSummary('broken');
  expectInOrder(textOf(crashPage(summary)), [
    'BROKEN',
    'does not keep “what was acknowledged as surviving the crash is there”',
    'everything before a finished sync survives a power cut',
    'a crash leaves the state of a prefix of the operations (assumed: nobody has said)',
    'sync #3 had returned at call 412',
    'key-17 is absent',
    'A sync of `data.log` before call 412 would have been enough.',
    'npm run crash -- --adapter ./x.mjs --only-seed 3',
    'the power goes',
    'One more finding',
    'the store opens again after a crash',
    'cuts 1 broken',
    'kills 1 broken',
    'faults too little',
    'workload kept',
  ]);
});

test('what a store says of itself is text in the page and in the summary, and nothing else', () => {
  const summary = madeUpSummary('broken');
  const hostile = '<script>alert(1)</script>|`x`';
  const page = crashPage({
    ...summary,
    failures: [{ ...summary.failures[0], message: hostile }],
  } as CrashSummary);
  expect(page).not.toContain('<script>');
  expect(page).not.toMatch(/(?:src|href)="(?!data:)/);
  const markdown = markdownOf({
    ...summary,
    failures: [{ ...summary.failures[0], message: hostile }],
  } as CrashSummary);
  expect(markdown).toContain('\\<script\\>alert(1)\\</script\\>\\|\\`x\\`');
});

test.each(['pass', 'inconclusive', 'interrupted'] as const)(
  'a run that is %s says so, and shows what to run again',
  (verdict) => {
    const summary = madeUpSummary(verdict);
    const word = verdict.toUpperCase();
    expectInOrder(textOf(crashPage(summary)), [word, summary.reason, 'Repeat', summary.command]);
    expect(markdownOf(summary)).toContain(`## Crash: ${word}`);
    expect(describeCampaign(summary, ['report.html'])).toContain(`${word}: ${summary.reason}`);
    expect(junitCases(summary).every(({ failures }) => failures.length === 0)).toBe(true);
  },
);

test('the terminal, the Markdown and JUnit name every finding with its command', () => {
  const summary = madeUpSummary('broken');
  const failed = junitCases(summary).flatMap(({ failures }) => failures);
  for (const { command } of summary.failures) {
    expect(describeCampaign(summary, [])).toContain(command);
    expect(markdownOf(summary)).toContain(command);
    expect(failed.join('\n')).toContain(command);
  }
  expect(failed).toHaveLength(summary.failures.length);
});
