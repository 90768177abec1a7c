import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { buildDashboard, type DashboardSpec } from '../panels/dashboard.ts';
import type { PanelResult } from './panel-queries.ts';
import { CannotCheck } from './processes.ts';
import type { Series } from './prometheus-api.ts';

const WIDTH = 1500;
/** Pixels of a row of Grafana's grid, its gap included. */
const ROW = 38;
const HEADER = 60;
/** What stands on a screen before anybody scrolls. */
const FIRST_SCREEN = 1000;

const STYLE = `
  body { background: #111217; color: #ccccdc; font: 13px sans-serif; margin: 0 10px; width: ${WIDTH - 20}px }
  h1 { font-size: 18px; font-weight: 500; margin: 0; height: ${HEADER}px; line-height: ${HEADER}px }
  h1 small { color: #9aa0a8; font-size: 13px; margin-left: 12px }
  main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 30px; gap: 8px }
  section { background: #181b1f; border: 1px solid #24282d; border-radius: 3px; overflow: hidden; display: flex; flex-direction: column; min-width: 0 }
  section.row { background: none; border: 0 }
  h2 { font-size: 13px; font-weight: 500; margin: 6px 8px 2px; white-space: nowrap }
  .body { flex: 1; min-height: 0; margin: 0 6px 4px; overflow: hidden }
  .stat h2 { text-align: center }
  .value { font-size: 34px; font-weight: 500; text-align: center; line-height: 90px; white-space: nowrap }
  .legend { font-size: 10px; color: #9aa0a8; max-height: 28px; line-height: 14px; overflow: hidden; flex: none }
  .legend span { margin-right: 10px; white-space: nowrap; display: inline-block }
  .legend i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: middle }
  .nothing { color: #6e7681; text-align: center; margin-top: 60px }
  table { border-collapse: collapse; width: 100%; font-size: 12px }
  th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid #24282d }
  th { color: #8ab8ff; font-weight: 500 }`;

/**
 * Draws what each dashboard's queries brought into a page of its own, and takes its picture with
 * Chromium.
 */
export function drawDashboards(
  directory: string,
  specs: readonly DashboardSpec[],
  results: readonly PanelResult[],
  state: string,
): void {
  mkdirSync(directory, { recursive: true });
  for (const spec of specs) {
    const name = `${spec.uid.replace('tidemark-', '')}-${state}`;
    const panels = pagePanels(spec, results);
    const page = resolve(directory, `${name}.html`);
    writeFileSync(page, html(spec, panels));
    const height = HEADER + ROW * Math.max(...panels.map(({ y, h }) => y + h));
    photograph(page, join(directory, `${name}.png`), Math.min(height, FIRST_SCREEN));
    photograph(page, join(directory, `${name}-whole.png`), height);
  }
}

function pagePanels(spec: DashboardSpec, results: readonly PanelResult[]) {
  const specs = new Map(
    spec.rows.flatMap(({ panels }) => panels.map((panel) => [panel.title, panel])),
  );
  const shown = new Map(
    results
      .filter(({ dashboard }) => dashboard === spec.uid)
      .map((result) => [result.title, result.targets]),
  );
  return (buildDashboard(spec).panels ?? []).map((panel) => {
    const { type, title = '', gridPos } = panel;
    const steps =
      'fieldConfig' in panel ? (panel.fieldConfig?.defaults.thresholds?.steps ?? []) : [];
    const {
      unit = 'none',
      words = {},
      stacked = false,
      baseline,
      sortedBy,
    } = specs.get(title) ?? {};
    const targets = shown.get(title) ?? [];
    const series = targets.flatMap(({ legend, series }) =>
      series.map((each) => drawable(legend, each)),
    );
    const { x = 0, y = 0, w = 24, h = 1 } = gridPos ?? {};
    return {
      type,
      title,
      x,
      y,
      w,
      h,
      steps,
      unit,
      words,
      stacked,
      baseline: baseline?.source ?? '',
      sortedBy,
      series,
    };
  });
}

/** JSON knows no NaN; a gap is drawn as one. */
function drawable(legend: string, { labels, points }: Series) {
  return {
    labels,
    legend: legend.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => labels[name] ?? '').trim(),
    points: points.map(([time, value]) => [time, Number.isFinite(value) ? value : null]),
  };
}

function html(spec: DashboardSpec, panels: unknown): string {
  const modules = createRequire(import.meta.url);
  const uplot = modules.resolve('uplot/dist/uPlot.iife.min.js');
  const read = (path: string) => readFileSync(path, 'utf8');
  const data = JSON.stringify({ panels }).replaceAll('<', '\\u003c');
  return `<!doctype html><meta charset="utf-8"><title>${spec.title}</title>
<style>${read(modules.resolve('uplot/dist/uPlot.min.css'))}${STYLE}</style>
<h1>${spec.title}<small>${spec.description}</small></h1><main></main>
<script>${read(uplot)}</script><script>const DASHBOARD = ${data};</script>
<script>${read(resolve('dashboards', 'check', 'page.js'))}</script>`;
}

function photograph(page: string, picture: string, height: number): void {
  const words = [
    '--headless=new',
    '--no-sandbox',
    '--hide-scrollbars',
    '--disable-gpu',
    `--window-size=${WIDTH},${height}`,
    `--screenshot=${picture}`,
    `file://${page}`,
  ];
  const { status, error, stderr } = spawnSync('chromium', words, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) throw new CannotCheck(`chromium: ${error?.message ?? stderr}`);
}
