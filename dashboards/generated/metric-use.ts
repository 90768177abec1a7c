import { METRIC_FAMILIES } from '../../src/telemetry/prometheus.ts';
import { ALERT_RULES } from '../rules/alert-rules.ts';
import { RECORDING_RULES } from '../rules/recording-rules.ts';
import { DASHBOARDS } from './generated-files.ts';

/** Metrics of Prometheus itself, of node_exporter, and those that every client library exports. */
const NOT_OURS = new Set([
  'ALERTS',
  'up',
  'scrape_duration_seconds',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_start_time_seconds',
  'process_cpu_seconds_total',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
  'node_filesystem_avail_bytes',
]);

/** Exported for those who ask, and shown nowhere, with the reason. */
export const DELIBERATELY_UNUSED: Readonly<Record<string, string>> = {};

/** Names of series in an expression. */
export function seriesIn(expr: string): string[] {
  const bare = expr.replace(/"[^"]*"/g, '""');
  const inLabels = bare
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(by|on|group_left|unless on|and on) ?\([^)]*\)/g, '');
  return [...inLabels.matchAll(/(?<![\w:$])([a-zA-Z_][\w:]*)(?!\w*\s*\()/g)]
    .map(([, name]) => name as string)
    .filter((name) => name.includes('_') || name === 'up' || name === 'ALERTS')
    .filter((name) => name !== 'group_left');
}

/** Every expression of rules, panels and annotations, with where it stands. */
export function everyExpression(): { where: string; expr: string }[] {
  return [
    ...RECORDING_RULES.map(({ record, expr }) => ({ where: record, expr })),
    ...ALERT_RULES.map(({ alert, expr }) => ({ where: alert, expr })),
    ...DASHBOARDS.flatMap(({ uid, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap(({ title, queries }) =>
          queries.map(({ expr }) => ({ where: `${uid}: ${title}`, expr })),
        ),
      ),
    ),
  ];
}

/** Metrics that do not exist, and metrics that nobody looks at. */
export function metricFaults(): string[] {
  const recorded = new Set(RECORDING_RULES.map(({ record }) => record));
  const families = new Map(METRIC_FAMILIES.map(({ name, kind }) => [name, kind]));
  const familyOf = (series: string) => {
    const base = series.replace(/_(bucket|sum|count)$/, '');
    return families.get(base) === 'histogram' ? base : series;
  };
  const used = new Set<string>();
  const faults: string[] = [];
  for (const { where, expr } of everyExpression()) {
    for (const series of seriesIn(expr)) {
      used.add(recorded.has(series) ? series : familyOf(series));
      const isKnown =
        NOT_OURS.has(series) || recorded.has(series) || families.has(familyOf(series));
      if (!isKnown) faults.push(`${where}: there is no metric ${series}`);
    }
  }
  const unused = (name: string) => !used.has(name) && DELIBERATELY_UNUSED[name] === undefined;
  faults.push(...[...families.keys()].filter(unused).map((name) => `${name} is used nowhere`));
  faults.push(
    ...[...recorded].filter((name) => !used.has(name)).map((name) => `${name} is used nowhere`),
  );
  return faults;
}
