import { PROCESS, type RowSpec } from '../../panels/dashboard.ts';
import { NAME, rate, recorded } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const SELF_ROW: RowSpec = {
  title: 'Telemetry itself',
  panels: [
    timeseries({
      title: 'Spans a second',
      description: 'By what became of them. preads = emitted + unsampled + budget, exactly.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_spans_total', 'by (disposition, instance, store)'),
          legend: `{{disposition}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Spans over the budget',
      description: 'Share of the spans asked for that were left out.',
      unit: 'percentunit',
      queries: [{ expr: recorded('spans_dropped:ratio_rate5m'), legend: NAME }],
      red: THRESHOLDS.spanDropRatio,
    }),
    timeseries({
      title: 'Errors in probes',
      description: 'Exceptions that probes threw, and that were ignored. A bug in a probe.',
      unit: 'ops',
      queries: [{ expr: rate('tidemark_probe_errors_total'), legend: NAME }],
    }),
    timeseries({
      title: 'Time of a scrape',
      description: 'How long the process takes to answer Prometheus.',
      unit: 's',
      queries: [{ expr: `scrape_duration_seconds{${PROCESS}}`, legend: '{{instance}}' }],
    }),
  ],
};
