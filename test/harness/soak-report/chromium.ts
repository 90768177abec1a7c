import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's, as `chromium` on the path; undefined where there is none. */
export const chromiumPath = (process.env.PATH ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'chromium'))
  .find(isExecutable);

if (chromiumPath === undefined) {
  console.warn(
    'skipped: the report in a browser, because there is no chromium on the path (apt-get install chromium)',
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath as string,
    // Its sandbox refuses to work for root, as which CI containers run.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

export interface Look {
  readonly scheme: 'light' | 'dark';
  readonly widthPx: number;
}

export interface OpenedPage {
  readonly page: Page;
  /** Addresses that were asked for, the page's own first. */
  readonly requests: readonly string[];
  /** What the console and the page's errors say. */
  readonly complaints: readonly string[];
}

/** The caller closes the browser, and the page with it. */
export async function openPage(
  browser: Browser,
  url: string,
  { scheme, widthPx }: Look,
): Promise<OpenedPage> {
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width: widthPx, height: 844 },
  });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) requests.push(request.url());
  });
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, requests, complaints };
}

const IN_PAGE = readFileSync(new URL('./in-page.js', import.meta.url), 'utf8')
  .trim()
  .replace(/;$/, '');

/** How many colours each chart's canvas shows, by the chart's id. A blank one shows none. */
export function coloursDrawn(page: Page): Promise<Record<string, number>> {
  return page.evaluate(`${IN_PAGE}.coloursDrawn()`);
}

/**
 * Measures the contrast of each text with the ground behind it, by WCAG 2, and returns the lowest.
 */
export function lowestContrast(page: Page): Promise<number> {
  return page.evaluate(`${IN_PAGE}.lowestContrast()`);
}

/** What a chart's canvas shows, to be compared. */
export function pictureOf(page: Page, chart: string): Promise<string> {
  return page.evaluate(`document.querySelector('[data-chart="${chart}"] canvas').toDataURL()`);
}
