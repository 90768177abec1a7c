import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { serveLive, writeReport } from './built-report.ts';
import {
  chromiumPath,
  coloursDrawn,
  launchChromium,
  lowestContrast,
  type OpenedPage,
  openPage,
  pictureOf,
} from './chromium.ts';
import { type MadeUpRun, madeUpGate, madeUpRun, writeRun } from './made-up-run.ts';
import { madeUpSample } from './made-up-sample.ts';

const DESKTOP = { scheme: 'light', widthPx: 1280 } as const;
const LOOKS = (['light', 'dark'] as const).flatMap((scheme) =>
  [1280, 390].map((widthPx) => ({ scheme, widthPx })),
);

describe.skipIf(chromiumPath === undefined)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  async function openReport(
    run: MadeUpRun,
    look = DESKTOP as (typeof LOOKS)[number],
  ): Promise<OpenedPage> {
    const directory = temporaryDirectory();
    writeRun(directory, run);
    await writeReport(directory);
    return openPage(browser, pathToFileURL(join(directory, 'report.html')).href, look);
  }

  test.each(LOOKS)(
    'the report is drawn whole, $scheme and $widthPx px wide, and asks for nothing',
    async (look) => {
      const run = madeUpRun(300);
      const { page, requests, complaints } = await openReport(run, look);
      const drawn = await coloursDrawn(page);
      expect(Object.keys(drawn)).toEqual(
        expect.arrayContaining(['throughput', 'rss', 'heap', 'fds', 'disk']),
      );
      // Grid, curve, axis and markers, with the shades between them.
      for (const colours of Object.values(drawn)) expect(colours).toBeGreaterThan(10);
      expect(await page.locator('.gates tbody tr:has(svg.spark polyline)').count()).toBe(
        run.summary.gates.length,
      );
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      expect(requests).toHaveLength(1);
      expect(complaints).toEqual([]);
    },
  );

  test('text of a store and a command line is never markup', async () => {
    const hostile = `"><img src=x onerror=alert(1)><script>alert(2)</script><!--`;
    const run = madeUpRun(20);
    const { configuration, gates, invariants, host } = run.summary;
    const { page, complaints, requests } = await openReport({
      ...run,
      summary: {
        ...run.summary,
        reason: hostile,
        command: hostile,
        profile: { name: hostile, path: null },
        configuration: { ...configuration, adapter: hostile },
        host: { ...host, cpu: hostile },
        gates: gates.map((gate) => ({ ...gate, name: hostile, detail: hostile })),
        invariants: invariants.map((one) => ({ ...one, holds: false, violations: [hostile] })),
        series: run.summary.series.map((one) => ({ ...one, title: hostile })),
        process: { pid: 1, code: 1, signal: null, lastWords: [hostile] },
        outcome: null,
        storeDirectory: hostile,
      },
    });
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('#command').textContent()).toBe(hostile);
    expect(complaints).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  test('the button overrules the colours of the system, and the charts follow', async () => {
    const { page } = await openReport(madeUpRun(60));
    const background = () =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const picture = () => pictureOf(page, 'rss');
    const light = { background: await background(), picture: await picture() };
    const button = page.getByRole('button', { name: /^Theme/ });
    await button.click();
    expect(await background()).toBe(light.background);
    await button.click();
    expect(await background()).not.toBe(light.background);
    await expect.poll(picture).not.toBe(light.picture);
    await page.emulateMedia({ colorScheme: 'dark' });
    await button.click();
    expect(await background()).not.toBe(light.background);
  });

  test('markers can be hidden, and time can be chosen in one chart for all', async () => {
    const { page, complaints } = await openReport(madeUpRun(300));
    const picture = () => pictureOf(page, 'fds');
    const whole = await picture();
    const kills = page.getByRole('button', { name: '2 kills' });
    await kills.click();
    expect(await kills.getAttribute('aria-pressed')).toBe('false');
    await expect.poll(picture).not.toBe(whole);
    await kills.click();
    await expect.poll(picture).toBe(whole);
    await drag(page, 'rss');
    await expect.poll(picture).not.toBe(whole);
    await page.getByRole('button', { name: 'Show the whole run' }).click();
    await expect.poll(picture).toBe(whole);
    expect(complaints).toEqual([]);
  });

  test('under the cursor, the numbers are those of the moment', async () => {
    const { page } = await openReport(madeUpRun(300));
    const last = page.locator('#rss-values [data-last]');
    const before = await last.textContent();
    await page.locator('[data-chart="rss"] .u-over').hover();
    await expect
      .poll(() => page.locator('#rss-values [data-moment]').textContent())
      .toMatch(/^at 2:\d\d$/);
    await page.mouse.move(0, 0);
    await expect.poll(() => page.locator('#rss-values [data-moment]').textContent()).toBe('last');
    expect(await last.textContent()).toBe(before);
  });

  test('the command is copied', async () => {
    const run = madeUpRun(5);
    const { page } = await openReport(run);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(run.summary.command);
  });

  test('who does not see it is told the same', async () => {
    const { page } = await openReport(madeUpRun(60));
    const levels = await page
      .locator('h1, h2, h3')
      .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
    expect(levels[0]).toBe(1);
    // No level is jumped over on the way down.
    for (const [index, level] of levels.entries())
      expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1);
    for (const canvas of await page.locator('canvas').all()) {
      const described = (await canvas.getAttribute('aria-describedby')) as string;
      expect(await page.locator(`[id="${described}"] tbody tr`).count()).toBeGreaterThan(0);
    }
    for (const picture of await page.locator('svg[role="img"]').all()) {
      expect(await picture.getAttribute('aria-label')).toMatch(/\d/);
    }
    expect(await page.locator('table:not(:has(caption))').count()).toBe(0);
    expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
  });

  test('the live page shows what comes, and at the end the report', async () => {
    const directory = temporaryDirectory();
    const run = madeUpRun(40);
    const live = await serveLive({ port: 0, run: run.summary });
    try {
      for (let second = 1; second <= 3; second++) live.addSample(madeUpSample(second));
      const { page, requests, complaints } = await openPage(browser, live.url, DESKTOP);
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByRole('heading', { name: 'Running' }).waitFor();
      const picture = () => pictureOf(page, 'rss');
      const first = await picture();
      live.addEvent({ kind: 'kill', elapsedS: 4, durationMs: 500, operations: 9 });
      live.setGates([madeUpGate({ name: 'fds: max <= 1', verdict: 'failed', passed: false })]);
      let second = 3;
      // Updates are at most a few a second, whatever the samples are.
      await expect
        .poll(async () => {
          live.addSample(madeUpSample(++second));
          return (
            (await page.locator('#markers').textContent())?.includes('1 kills') &&
            (await picture()) !== first
          );
        })
        .toBe(true);
      expect(await page.locator('#verdict').textContent()).toContain(
        'Over the limit so far: fds: max <= 1'.slice(5),
      );
      expect(Math.min(...Object.values(await coloursDrawn(page)))).toBeGreaterThan(5);
      writeRun(directory, run);
      live.finish(directory);
      await page.getByRole('heading', { name: 'Passed' }).waitFor();
      await page.getByText('Finished', { exact: true }).waitFor();
      await expect
        .poll(async () => Object.keys(await coloursDrawn(page)))
        .toContain('latency-sync');
      expect(await page.title()).toBe('Passed: tidemark, profile smoke');
      expect(requests).toEqual([live.url, `${live.url}updates`]);
      expect(complaints).toEqual([]);
    } finally {
      await live.close();
    }
  });
});

async function drag(page: Page, chart: string): Promise<void> {
  const place = page.locator(`[data-chart="${chart}"] .u-over`);
  await place.scrollIntoViewIfNeeded();
  const box = (await place.boundingBox()) as {
    x: number;
    y: number;
    width: number;
    height: number;
  };
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
}
