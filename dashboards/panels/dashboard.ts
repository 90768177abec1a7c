import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type AnnotationQuery,
  AnnotationQueryBuilder,
  CustomVariableBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  type VariableModel,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { buildPanel, DATASOURCE, type PanelSpec } from './panel.ts';

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface DashboardSpec {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly refresh: string;
  readonly from: string;
  readonly rows: readonly RowSpec[];
  /** What the run shown is compared with. */
  readonly baselines?: readonly string[];
}

/** The matchers of every query: the variables of every dashboard. */
export const PROCESS = 'job=~"$job", instance=~"$instance"';
export const STORE = `${PROCESS}, store=~"$store"`;

const ANY = '.+';

export function buildDashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['tidemark'])
    .editable()
    .refresh(spec.refresh)
    .time({ from: spec.from, to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(variables(spec))
    .annotations(annotations())
    .link(
      new DashboardLinkBuilder('tidemark')
        .type(DashboardLinkType.Dashboards)
        .tags(['tidemark'])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
    );
  let id = 1;
  for (const { title, panels } of spec.rows) {
    builder.withRow(new RowBuilder(title).id(id++));
    for (const panel of panels) builder.withPanel(buildPanel(panel, id++));
  }
  return builder.build();
}

function variables({ baselines }: DashboardSpec): Builder<VariableModel>[] {
  return [
    new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    new DatasourceVariableBuilder('traces').label('Tempo').type('tempo'),
    labelValues('job', 'label_values(tidemark_keys, job)'),
    labelValues('instance', 'label_values(tidemark_keys{job=~"$job"}, instance)'),
    labelValues('store', `label_values(tidemark_keys{${PROCESS}}, store)`),
    ...(baselines === undefined
      ? []
      : [
          new CustomVariableBuilder('baseline')
            .label('Compare with, ago')
            .values(baselines.join(','))
            .current({
              text: baselines[0] as string,
              value: baselines[0] as string,
              selected: true,
            }),
        ]),
  ];
}

function labelValues(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(name)
    .datasource(DATASOURCE)
    .query(query)
    .multi(true)
    .includeAll(true)
    .allValue(ANY)
    .current({ text: 'All', value: '$__all', selected: true })
    .refresh(VariableRefresh.OnTimeRangeChanged);
}

function annotations(): Builder<AnnotationQuery>[] {
  const rising = (family: string) =>
    `sum by (instance, store) (increase(${family}{${STORE}}[$__rate_interval])) > 0`;
  return [
    annotation(
      'Restarts',
      'purple',
      `sum by (instance) (changes(process_start_time_seconds{${PROCESS}}[$__rate_interval])) > 0`,
      '{{instance}} started',
    ),
    annotation(
      'Rotations',
      'blue',
      rising('tidemark_rotations_total'),
      '{{store}} began a segment',
    ),
    annotation(
      'Compactions',
      'green',
      rising('tidemark_compactions_total'),
      '{{store}} was compacted',
    ),
    annotation('Recoveries', 'orange', rising('tidemark_recoveries_total'), '{{store}} was opened'),
  ];
}

function annotation(
  name: string,
  iconColor: string,
  expr: string,
  titleFormat: string,
): AnnotationQueryBuilder {
  const target = new DataqueryBuilder().refId('Anno').datasource(DATASOURCE).expr(expr).range();
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(name !== 'Rotations')
    .hide(false)
    .iconColor(iconColor)
    .expr(expr)
    .titleFormat(titleFormat)
    .target(target);
}
