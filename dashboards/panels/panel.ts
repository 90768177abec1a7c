import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as HeatmapBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  RowsHeatmapOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { TRACES_OF_STORE } from './trace-link.ts';

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface PanelSpec {
  readonly kind: 'stat' | 'timeseries' | 'table' | 'heatmap';
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Red from here on; from `THRESHOLDS`, where an alert has the same value. */
  readonly red?: number;
  /** Red below `red`, not above it. */
  readonly redBelow?: boolean;
  /** The width, in columns of 24. */
  readonly span?: number;
  readonly stacked?: boolean;
  readonly max?: number;
  /** What words stand for which value. */
  readonly words?: Readonly<Record<number, string>>;
  /** Shows a link to the traces of the store. */
  readonly traced?: boolean;
  /** Series drawn as a grey dashed line: what a run is compared with. */
  readonly baseline?: RegExp;
  /**
   * The label to sort by, in a table whose labels say everything. A table without it is sorted by
   * value, highest first.
   */
  readonly sortedBy?: string;
  /** A store that is well has nothing to show here; the check provokes it with faults. */
  readonly emptyWhenWell?: boolean;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in.
export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

const HEIGHTS = { stat: 4, timeseries: 8, table: 8, heatmap: 8 };
const SPANS = { stat: 4, timeseries: 8, table: 12, heatmap: 12 };

export function buildPanel(spec: PanelSpec, id: number): Builder<Panel> {
  const builder = { stat, timeseries, table, heatmap }[spec.kind](spec);
  builder
    .id(id)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .thresholds(thresholds(spec))
    .span(spec.span ?? SPANS[spec.kind])
    .height(HEIGHTS[spec.kind]);
  if (spec.emptyWhenWell) builder.noValue('none');
  if (spec.max !== undefined) builder.max(spec.max);
  if (spec.words !== undefined) builder.mappings([mapping(spec.words)]);
  if (spec.traced) {
    builder.links([
      new DashboardLinkBuilder('Traces of this store')
        .type(DashboardLinkType.Link)
        .url(TRACES_OF_STORE)
        .targetBlank(true),
    ]);
  }
  spec.queries.forEach((query, index) => {
    builder.withTarget(dataquery(spec, query, String.fromCharCode(65 + index)));
  });
  return builder;
}

function dataquery(
  { kind, traced }: PanelSpec,
  { expr, legend }: Query,
  refId: string,
): Builder<Dataquery> {
  const query = new DataqueryBuilder()
    .refId(refId)
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend)
    .exemplar(traced === true);
  if (kind === 'table') return query.instant().format(PromQueryFormat.Table);
  if (kind === 'heatmap') return query.range().format(PromQueryFormat.Heatmap);
  return query.range();
}

function thresholds({ red, redBelow = false }: PanelSpec): ThresholdsConfigBuilder {
  const steps =
    red === undefined
      ? [{ value: null, color: 'blue' }]
      : [
          { value: null, color: redBelow ? 'red' : 'green' },
          { value: red, color: redBelow ? 'green' : 'red' },
        ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function mapping(words: Readonly<Record<number, string>>): ValueMapping {
  const options = Object.fromEntries(
    Object.entries(words).map(([value, text], index) => [value, { text, index }]),
  );
  return { type: 'value', options } as ValueMapping;
}

function stat({ red }: PanelSpec): StatBuilder {
  return new StatBuilder()
    .graphMode(BigValueGraphMode.Area)
    .colorMode(red === undefined ? BigValueColorMode.Value : BigValueColorMode.Background)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
}

function timeseries({ red, stacked = false, baseline }: PanelSpec): TimeseriesBuilder {
  const builder = new TimeseriesBuilder()
    .min(0)
    .fillOpacity(stacked ? 30 : 0)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  if (red !== undefined) {
    builder.thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
    );
  }
  if (baseline !== undefined) {
    builder.overrideByRegexp(`/${baseline.source}/`, [
      { id: 'color', value: { mode: 'fixed', fixedColor: 'gray' } },
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } },
    ]);
  }
  return builder;
}

/**
 * One row per store. Several queries are joined by their labels: the column of each is named by its
 * legend.
 */
function table({ queries, sortedBy }: PanelSpec): TableBuilder {
  const names = Object.fromEntries(
    queries.map(({ legend }, index) => [`Value #${String.fromCharCode(65 + index)}`, legend]),
  );
  return new TableBuilder()
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true, __name__: true, Value: sortedBy !== undefined },
        renameByName: queries.length === 1 ? { Value: queries[0]?.legend } : names,
      },
    })
    .sortBy([
      new TableSortByFieldStateBuilder()
        .displayName(sortedBy ?? queries[0]?.legend ?? '')
        .desc(sortedBy === undefined),
    ])
    .filterable(true);
}

function heatmap({ unit }: PanelSpec): HeatmapBuilder {
  return new HeatmapBuilder()
    .calculate(false)
    .rowsFrame(new RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Le))
    .yAxis(new YAxisConfigBuilder().unit(unit))
    .color(
      new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').steps(64),
    );
}
