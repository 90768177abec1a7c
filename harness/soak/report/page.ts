import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Html, html, jsonForScript } from './drawing/html.ts';
import type { PageData } from './drawing/page-data.ts';

/**
 * What `npm run build` has put beside this file. Read when the first page is made, so that the
 * sources can be imported where nothing was built.
 */
function readAssets(): { readonly script: string; readonly style: string } {
  const read = (name: string) => readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
  return {
    script: read('page.js').replaceAll('</script', '<\\/script'),
    style: `${read('charts.css')}\n${read('page.css')}`,
  };
}

let builtAssets: ReturnType<typeof readAssets> | undefined;

function assets(): ReturnType<typeof readAssets> {
  builtAssets ??= readAssets();
  return builtAssets;
}

const ICON_COLOURS = { pass: '0f7a41', fail: 'b91c2b', warn: '8f5200', calm: '475766' } as const;

export interface Page {
  /** The title of the window. The verdict comes first, because a tab has room for no more. */
  readonly title: string;
  readonly tone: keyof typeof ICON_COLOURS;
  /** Which store, under what. */
  readonly subject: string;
  readonly links: readonly { readonly href: string; readonly text: string }[];
  /** The sections in order. One without a title says itself what it is. */
  readonly sections: readonly PageSection[];
  readonly data: PageData;
}

export interface PageSection {
  readonly id: string;
  readonly title?: string;
  /** What stands between the title and the content. It stays when the content is replaced. */
  readonly tools?: Html;
  readonly content: Html;
}

/**
 * The whole document, with all that it needs inside. Its own policy forbids every request but to
 * the server that a live page came from.
 */
export function pageDocument({ title, tone, subject, links, sections, data }: Page): string {
  const connections = data.updatesPath === undefined ? "'none'" : "'self'";
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(assets().script).digest('base64')}'`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    `connect-src ${connections}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const icon = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#${ICON_COLOURS[tone]}"/></svg>`)}`;
  return `<!doctype html>
${
  html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${icon}">
${element('style', assets().style)}
</head>
<body>
<header>
<p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M2 9c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.4 3 6.7 3M2 16c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.4 3 6.7 3"/><path class="mark" d="M12 2v5"/></svg>tidemark soak</p>
<p class="subject">${subject}</p>
<nav aria-label="Page"><span id="live-status" role="status" hidden></span>${links.map(({ href, text }) => html`<a href="${href}">${text}</a>`)}<button type="button" id="theme" hidden></button></nav>
</header>
<main>
${sections.map(
  ({
    id,
    title: heading,
    tools,
    content,
  }) => html`<section class="${id}-section"${heading === undefined ? '' : html` aria-labelledby="${id}-heading"`}>
${heading === undefined ? '' : html`<div class="heading"><h2 id="${id}-heading">${heading}</h2>${tools}</div>`}
<div id="${id}">${content}</div>
</section>`,
)}
</main>
<span id="colour-probe" hidden></span>
<script type="application/json" id="page-data">${jsonForScript(data)}</script>
${element('script', assets().script)}
</body>
</html>`.text
}
`;
}

/** Style and script are taken as they are, and so is what the policy's digest was made of. */
function element(name: 'style' | 'script', text: string): Html {
  const [open, close] =
    name === 'style' ? [html`<style>`, html`</style>`] : [html`<script>`, html`</script>`];
  return html`${open}${new Html(text)}${close}`;
}
