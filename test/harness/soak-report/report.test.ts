import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Summary } from '../../../harness/soak/result/summary.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { writeReport } from './built-report.ts';
import { type MadeUpRun, madeUpRun, writeRun } from './made-up-run.ts';

async function reportOf(run: MadeUpRun): Promise<string> {
  const directory = temporaryDirectory();
  writeRun(directory, run);
  await writeReport(directory);
  return readFileSync(join(directory, 'report.html'), 'utf8');
}

function changed(run: MadeUpRun, parts: Partial<Summary>): MadeUpRun {
  return { ...run, summary: { ...run.summary, ...parts } };
}

/** What can be read of it, and how it is arranged. */
function markupOf(page: string): string {
  return page.replace(/<(script|style)\b.*?<\/\1>/gs, '');
}

describe('report.html', () => {
  test('of twelve hours is less than a megabyte, and keeps a spike of one sample', async () => {
    const directory = temporaryDirectory();
    writeRun(directory, madeUpRun(43_200, [{ column: 'rss_kb', sample: 20_000, value: 987_654 }]));
    await writeReport(directory);
    const path = join(directory, 'report.html');
    expect(statSync(path).size).toBeLessThan(1_000_000);
    const [, json] = /id="page-data">(.*?)<\/script>/s.exec(
      readFileSync(path, 'utf8'),
    ) as unknown as [string, string];
    const { charts } = JSON.parse(json) as {
      charts: { id: string; series: { values: number[] }[] }[];
    };
    const [rss] = charts.find(({ id }) => id === 'rss')?.series ?? [];
    expect(Math.max(...(rss?.values ?? []))).toBe(Number((987_654 * 1024).toPrecision(5)));
  });

  test('names nothing outside of itself', async () => {
    const page = await reportOf(madeUpRun(50));
    const markup = markupOf(page);
    expect(markup).not.toMatch(/(?:src|href)="(?!data:)/);
    expect(/@import|url\((?!data:)/.test(page)).toBe(false);
    expect(markup).toContain('connect-src &#39;none&#39;');
  });

  test.each([
    ['pass', 'Passed'],
    ['broken', 'Broken'],
    ['threshold', 'Threshold crossed'],
    ['inconclusive', 'Inconclusive'],
    ['interrupted', 'Interrupted'],
  ] as const)('says %s before anything else', async (verdict, title) => {
    const page = markupOf(
      await reportOf(changed(madeUpRun(5), { verdict, exitCode: 99, reason: 'so it went' })),
    );
    expect(page).toMatch(new RegExp(`<title>${title}: tidemark, profile smoke</title>`));
    const [, first] = /<(?:h1|h2)[^>]*>(.*?)<\/(?:h1|h2)>/.exec(page) as unknown as [
      string,
      string,
    ];
    expect(first).toBe(title);
    expect(page).toContain('So it went.');
    expect(page).toContain('exit <b>99</b>');
  });

  test('shows what was violated, the last words of a process that died, and the baseline', async () => {
    const run = madeUpRun(5);
    const page = await reportOf(
      changed(run, {
        verdict: 'broken',
        outcome: null,
        invariants: [
          {
            name: 'nothing_lost',
            meaning: 'a key is there',
            holds: false,
            violations: ['key 17 is missing'],
          },
        ],
        process: { pid: 1, code: null, signal: 'SIGSEGV', lastWords: ['out of luck'] },
        baseline: {
          directory: 'yesterday',
          startedAt: '2026-11-24T00:00:00.000Z',
          seed: 1,
          warnings: ['another machine'],
          rows: [
            {
              name: 'put_p50_us',
              unit: 'us',
              base: 2,
              head: 3,
              change: 0.5,
              interval: { lower: 0.4, upper: 0.6, confidence: 0.95 },
              verdict: 'worse',
              kind: 'time',
              blocks: true,
            },
          ],
        },
      }),
    );
    for (const text of [
      'key 17 is missing',
      'out of luck',
      'yesterday',
      'another machine',
      '+50.0 %',
    ]) {
      expect(markupOf(page)).toContain(text);
    }
  });

  test('of a run that ended before its first sample says that nothing was sampled', async () => {
    const directory = temporaryDirectory();
    const { summary } = changed(madeUpRun(5), {
      gates: [],
      latency: [],
      events: [],
      totals: null,
      sampleCount: 0,
    });
    writeFileSync(join(directory, 'summary.json'), JSON.stringify(summary));
    await writeReport(directory);
    const page = readFileSync(join(directory, 'report.html'), 'utf8');
    const markup = markupOf(page);
    expect(markup).toContain('Nothing was sampled.');
    expect(markup).not.toMatch(/NaN|undefined|Infinity/);
  });

  test.each([
    ['a summary that was cut short', '{"schema": 2, "verdict": "pa', 'cannot be read'],
    ['a summary of another schema', '{"schema": 1}', 'schema 1'],
  ])('is not written from %s', async (_what, text, complaint) => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'summary.json'), text);
    await expect(writeReport(directory)).rejects.toThrow(complaint);
    expect(readdirSync(directory)).toEqual(['summary.json']);
  });
});
