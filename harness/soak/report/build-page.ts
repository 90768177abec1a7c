import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/**
 * The last step of `npm run build`: what the page holds, beside the compiled code that puts it
 * together. Each file appears whole, because another build or a report may be reading it.
 */
const SOURCES = new URL('../../../../harness/soak/report/page/', import.meta.url);
const BUILT = new URL('./page/', import.meta.url);

mkdirSync(BUILT, { recursive: true });
const bundle = await rolldown({
  input: fileURLToPath(new URL('page.ts', SOURCES)),
  platform: 'browser',
});
const { output } = await bundle.generate({ format: 'iife', minify: true });
await bundle.close();
place('page.js', (path) => writeFileSync(path, output[0].code));
place('page.css', (path) => copyFileSync(new URL('page.css', SOURCES), path));
const charts = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
place('charts.css', (path) => copyFileSync(charts, path));

function place(name: string, write: (path: string) => void): void {
  const path = fileURLToPath(new URL(name, BUILT));
  const unfinished = `${path}.${process.pid}`;
  write(unfinished);
  renameSync(unfinished, path);
}
