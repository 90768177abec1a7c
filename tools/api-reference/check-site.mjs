#!/usr/bin/env node
// Looks at the site that `npm run docs` has built: every link of every page leads somewhere, every
// page opens from the folder without a server, at 1280 and at 390 px, light and dark, with nothing
// wider than the window and nothing in the console; and the search finds a method.
//
//     node tools/api-reference/check-site.mjs [--screenshots DIRECTORY] [--links-only]
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const SITE = resolve('docs/site');
const { values } = parseArgs({
  options: { screenshots: { type: 'string' }, 'links-only': { type: 'boolean', default: false } },
});
const wrong = [];
/** No browser loads it from a folder; a script of the page puts the icons in instead. */
const ICONS = 'assets/icons.svg';

const pages = readdirSync(SITE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.html'))
  .sort();
if (pages.length < 50) wrong.push(`only ${pages.length} pages were built`);

/** The places of a page that a link may name. */
const anchorsOf = new Map();
function anchors(path) {
  let found = anchorsOf.get(path);
  if (found === undefined) {
    const ids = [...readFileSync(path, 'utf8').matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    found = new Set(ids);
    anchorsOf.set(path, found);
  }
  return found;
}

let links = 0;
for (const page of pages) {
  const path = join(SITE, page);
  for (const [, attribute] of readFileSync(path, 'utf8').matchAll(/\s(?:href|src)="([^"]+)"/g)) {
    const target = attribute.replaceAll('&amp;', '&');
    if (/^(?:https?|data|mailto):/.test(target)) continue;
    links++;
    const [file, anchor] = target.split('#').map(decodeURIComponent);
    const there = file === '' ? path : join(dirname(path), file.split('?')[0]);
    if (!existsSync(there)) wrong.push(`${page}: ${target} leads nowhere`);
    else if (anchor && there.endsWith('.html') && !anchors(there).has(anchor))
      wrong.push(`${page}: ${target} names no place of that page`);
  }
}
process.stdout.write(`${pages.length} pages, ${links} links inside\n`);

if (!values['links-only']) await look();
for (const line of wrong.slice(0, 40)) process.stderr.write(`${line}\n`);
if (wrong.length > 0) {
  process.stderr.write(`the site: ${wrong.length} things are wrong\n`);
  process.exitCode = 1;
}

async function look() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  if (executablePath === undefined)
    throw new Error('no chromium to look with (Debian: apt-get install chromium)');
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  // The guide and the front whole, and one page of each kind of the reference.
  const looked = [
    'index.html',
    ...pages.filter((page) => page.startsWith('documents/')),
    'modules/engine.html',
    'functions/engine.openStore.html',
    'interfaces/engine.Store.html',
    'interfaces/engine.StoreOptions.html',
  ];
  try {
    for (const width of [1280, 390]) {
      for (const colorScheme of ['light', 'dark']) {
        const context = await browser.newContext({
          viewport: { width, height: 900 },
          colorScheme,
        });
        const tab = await context.newPage();
        let page = '';
        tab.on('pageerror', ({ message }) => wrong.push(`${page} at ${width}: ${message}`));
        tab.on('console', (said) => {
          if (said.type() === 'error' && !said.text().includes(ICONS))
            wrong.push(`${page} at ${width}: ${said.text()}`);
        });
        tab.on('requestfailed', (request) => {
          if (!request.url().includes(ICONS)) wrong.push(`${page}: ${request.url()} not loaded`);
        });
        for (page of looked) {
          if (!existsSync(join(SITE, page))) {
            wrong.push(`${page} was not built`);
            continue;
          }
          await tab.goto(pathToFileURL(join(SITE, page)).href);
          const seen = await tab.evaluate(() => ({
            over: document.documentElement.scrollWidth - innerWidth,
            background: getComputedStyle(document.body).backgroundColor,
            icons: [...document.querySelectorAll('use')].filter(
              (use) => !use.getAttribute('href')?.startsWith('#'),
            ).length,
            broken: [...document.images].filter((image) => image.naturalWidth === 0).length,
          }));
          if (seen.over > 0)
            wrong.push(`${page} at ${width}: ${seen.over} px wider than the window`);
          if (seen.icons > 0) wrong.push(`${page}: ${seen.icons} icons are not there`);
          if (seen.broken > 0) wrong.push(`${page}: ${seen.broken} pictures are not there`);
          const [red = 0] = /\d+/.exec(seen.background) ?? [];
          if (red > 128 !== (colorScheme === 'light'))
            wrong.push(`${page}: ${colorScheme} asked for, and ${seen.background} given`);
          if (values.screenshots !== undefined) {
            mkdirSync(values.screenshots, { recursive: true });
            const name = `${page.replaceAll('/', '-')}-${width}-${colorScheme}.png`;
            await tab.screenshot({ path: join(values.screenshots, name) });
          }
        }
        page = 'search';
        await tab.goto(pathToFileURL(join(SITE, 'index.html')).href);
        await tab.click('#tsd-search-trigger');
        await tab.fill('#tsd-search-input', 'putDurable');
        const found = tab.locator('#tsd-search-results li').first();
        await found.waitFor({ timeout: 60_000 }).catch(() => {});
        if (!(await found.textContent().catch(() => ''))?.includes('putDurable'))
          wrong.push(`the search at ${width} finds no putDurable`);
        await context.close();
      }
    }
  } finally {
    await browser.close();
  }
  process.stdout.write(`${looked.length} pages looked at, at 1280 and 390 px, light and dark\n`);
}
