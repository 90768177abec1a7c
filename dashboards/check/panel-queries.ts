import { buildDashboard, type DashboardSpec } from '../panels/dashboard.ts';
import type { PanelSpec } from '../panels/panel.ts';
import type { PrometheusApi, Series } from './prometheus-api.ts';
import { SCRAPE_SECONDS, type Span } from './subject-runs.ts';

export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

/** What one panel shows. */
export interface PanelResult {
  readonly dashboard: string;
  readonly title: string;
  readonly targets: readonly { readonly legend: string; readonly series: readonly Series[] }[];
  /** What is wrong; empty when it is as it should be. */
  readonly faults: readonly string[];
}

/**
 * What Grafana would fill in: one scrape per second, and everything chosen. The baseline lies
 * within the check.
 */
const VARIABLES: Readonly<Record<string, string>> = {
  job: '.+',
  instance: '.+',
  store: '.+',
  baseline: '10s',
  __rate_interval: `${4 * SCRAPE_SECONDS}s`,
};

export function substitute(expr: string): string {
  return expr.replace(/\$(\w+)/g, (whole, name: string) => VARIABLES[name] ?? whole);
}

/** Runs every query of a dashboard as it is generated, annotations too. */
export async function queryDashboard(
  spec: DashboardSpec,
  api: PrometheusApi,
  span: Span,
  isSick: boolean,
): Promise<PanelResult[]> {
  const model = buildDashboard(spec);
  const specs = new Map(
    spec.rows.flatMap(({ panels }) => panels.map((panel) => [panel.title, panel])),
  );
  const results: PanelResult[] = [];
  for (const panel of model.panels ?? []) {
    if (panel.type === 'row') continue;
    const { title = '', targets = [] } = panel as { title?: string; targets?: readonly Target[] };
    const isEmptyAllowed = specs.get(title)?.emptyWhenWell === true && !isSick;
    results.push(
      await query(spec.uid, title, targets, api, span, isEmptyAllowed, specs.get(title)),
    );
  }
  for (const { name, expr = '' } of model.annotations?.list ?? []) {
    const targets = [{ expr, legendFormat: name }];
    results.push(
      await query(spec.uid, `annotation ${name}`, targets, api, span, isSick, undefined),
    );
  }
  return results;
}

async function query(
  dashboard: string,
  title: string,
  targets: readonly Target[],
  api: PrometheusApi,
  span: Span,
  isEmptyAllowed: boolean,
  spec: PanelSpec | undefined,
): Promise<PanelResult> {
  const faults: string[] = [];
  const shown = [];
  for (const { expr, legendFormat } of targets) {
    try {
      const series = await api.range(
        substitute(expr),
        span.fromSeconds,
        span.toSeconds,
        SCRAPE_SECONDS,
      );
      shown.push({ legend: legendFormat, series });
      const problem = judge(series, isEmptyAllowed, spec);
      if (problem !== undefined) faults.push(`${problem}: ${expr}`);
    } catch (error) {
      faults.push(`${(error as Error).message}: ${expr}`);
    }
  }
  return { dashboard, title, targets: shown, faults };
}

function judge(
  series: readonly Series[],
  isEmptyAllowed: boolean,
  spec: PanelSpec | undefined,
): string | undefined {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  if (values.length === 0) return isEmptyAllowed ? undefined : 'no data';
  if (values.some((value) => Math.abs(value) === Number.POSITIVE_INFINITY)) return 'infinite';
  // A quantile of nothing is NaN: an idle second of a busy store may have it, a panel as a whole
  // may not.
  if (values.every(Number.isNaN)) return isEmptyAllowed ? undefined : 'only NaN';
  if (spec?.unit === 'percentunit' && values.some((value) => value < 0)) return 'a negative share';
  return undefined;
}
