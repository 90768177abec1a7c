import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crashPage } from '../../../harness/crash/campaign/crash-page.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { chromiumPath, launchChromium, lowestContrast, openPage } from './chromium.ts';
import { madeUpSummary } from './made-up-crash.ts';

const VERDICTS = ['pass', 'broken', 'inconclusive', 'interrupted'] as const;
const LOOKS = VERDICTS.flatMap((verdict) =>
  (['light', 'dark'] as const).flatMap((scheme) =>
    [1280, 390].map((widthPx) => ({ verdict, scheme, widthPx })),
  ),
);

describe.skipIf(chromiumPath === undefined)('the page of a crash run in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  test.each(LOOKS)(
    '$verdict, $scheme and $widthPx px wide: nothing is cut off, asked for, or too faint to read',
    async ({ verdict, scheme, widthPx }) => {
      const path = join(temporaryDirectory(), 'report.html');
      writeFileSync(path, crashPage(madeUpSummary(verdict)));
      const { page, requests, complaints } = await openPage(browser, pathToFileURL(path).href, {
        scheme,
        widthPx,
      });
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
      // Without scrolling: the verdict, and the command that repeats it or the finding.
      const command = await page.locator('pre.command').first().boundingBox();
      if (widthPx === 1280) expect(command?.y).toBeLessThan(700);
      expect(requests).toHaveLength(1);
      expect(complaints).toEqual([]);
      await page.context().close();
    },
  );
});
