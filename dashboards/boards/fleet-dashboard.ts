import { type DashboardSpec, PROCESS, STORE } from '../panels/dashboard.ts';
import { NAME, recorded } from '../panels/expressions.ts';
import { heatmap, stat, table, timeseries } from '../panels/panel-kinds.ts';
import { THRESHOLDS } from '../panels/thresholds.ts';

const EACH = 'by (job, instance, store)';

/** The recorded value over its median of the fleet. */
const overMedian = (name: string) =>
  `topk(10, ${recorded(name)} / on () group_left quantile(0.5, ${recorded(name)} > 0))`;

export const FLEET_DASHBOARD: DashboardSpec = {
  uid: 'tidemark-fleet',
  title: 'tidemark / Fleet',
  description: 'All stores of all instances: which of them needs somebody.',
  refresh: '1m',
  from: 'now-6h',
  rows: [
    {
      title: 'Fleet',
      panels: [
        stat({
          title: 'Stores open',
          description: 'Stores that answer a scrape.',
          unit: 'short',
          queries: [{ expr: `count(tidemark_keys{${STORE}})`, legend: 'stores' }],
        }),
        stat({
          title: 'Instances that do not answer',
          description: 'Targets that had a store within the last day and cannot be scraped now.',
          unit: 'short',
          queries: [
            {
              expr: `count((up{${PROCESS}} == 0) and on (job, instance) last_over_time(tidemark_keys{${PROCESS}}[1d])) or 0 * sum(up{${PROCESS}})`,
              legend: 'down',
            },
          ],
          red: 1,
        }),
        stat({
          title: 'Writers poisoned',
          description: 'Stores that refuse to write.',
          unit: 'short',
          queries: [{ expr: `sum(tidemark_poisoned{${STORE}})`, legend: 'poisoned' }],
          red: 1,
        }),
        stat({
          title: 'Stores with damage',
          description: 'Stores that met damage since their process began.',
          unit: 'short',
          queries: [
            {
              expr: `count(sum ${EACH} (tidemark_corruptions_total{${STORE}}) > 0) or 0 * sum(tidemark_keys{${STORE}})`,
              legend: 'damaged',
            },
          ],
          red: 1,
        }),
        stat({
          title: 'Alerts firing',
          description: 'Alerts of all these instances that fire now.',
          unit: 'short',
          queries: [
            {
              expr: `count(ALERTS{alertname=~"Tidemark.+", alertstate="firing", ${PROCESS}}) or 0 * sum(up{${PROCESS}})`,
              legend: 'firing',
            },
          ],
          red: 1,
        }),
        stat({
          title: 'On disk',
          description: 'Bytes of all segments of all stores.',
          unit: 'bytes',
          queries: [{ expr: `sum(tidemark_segment_bytes{${STORE}})`, legend: 'bytes' }],
        }),
      ],
    },
    {
      title: 'Who needs somebody',
      panels: [
        table({
          title: 'Alerts',
          description: 'What is pending or firing, and on whom.',
          unit: 'short',
          queries: [
            {
              expr: `max by (alertname, alertstate, severity, job, instance, store) (ALERTS{alertname=~"Tidemark.+", ${PROCESS}})`,
              legend: 'state',
            },
          ],
          sortedBy: 'severity',
          emptyWhenWell: true,
        }),
        table({
          title: 'Most garbage',
          description: 'The ten stores with the largest share of dead bytes.',
          unit: 'percentunit',
          queries: [{ expr: `topk(10, ${recorded('garbage:ratio')})`, legend: 'dead' }],
          red: THRESHOLDS.garbageRatio,
        }),
        table({
          title: 'Slowest syncs',
          description: 'The ten stores whose syncs are slowest, p99 over five minutes.',
          unit: 's',
          queries: [
            { expr: `topk(10, ${recorded('sync_duration_seconds:p99_5m')})`, legend: 'p99' },
          ],
          red: THRESHOLDS.syncP99Seconds,
        }),
        table({
          title: 'Furthest from durable',
          description:
            'The ten stores that were not synced for longest while something waits for it.',
          unit: 's',
          queries: [
            { expr: `topk(10, ${recorded('durable_lag_seconds:current')})`, legend: 'lag' },
          ],
          red: THRESHOLDS.durableLagSeconds,
        }),
        table({
          title: 'Most errors',
          description: 'The ten stores whose operations fail most, over five minutes.',
          unit: 'ops',
          queries: [{ expr: `topk(10, ${recorded('operation_errors:rate5m')})`, legend: 'failed' }],
          emptyWhenWell: true,
        }),
        table({
          title: 'Most memory for keys',
          description: 'The ten largest keydirs.',
          unit: 'bytes',
          queries: [
            { expr: `topk(10, sum ${EACH} (tidemark_keydir_bytes{${STORE}}))`, legend: 'keydir' },
          ],
        }),
      ],
    },
    {
      title: 'Distribution',
      panels: [
        heatmap({
          title: 'Gets by their time',
          description: 'Of the whole fleet: a second band is a group of stores that is slower.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (increase(tidemark_get_duration_seconds_bucket{${STORE}}[$__rate_interval]))`,
              legend: '{{le}}',
            },
          ],
        }),
        heatmap({
          title: 'Syncs by their time',
          description: 'Of the whole fleet.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (increase(tidemark_sync_duration_seconds_bucket{${STORE}}[$__rate_interval]))`,
              legend: '{{le}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Outliers',
      panels: [
        timeseries({
          title: 'Get p99 over the median',
          description: 'The ten stores whose gets are slowest, as a multiple of the median store.',
          unit: 'short',
          queries: [{ expr: overMedian('get_duration_seconds:p99_5m'), legend: NAME }],
        }),
        timeseries({
          title: 'Sync p99 over the median',
          description: 'The ten stores whose syncs are slowest, as a multiple of the median store.',
          unit: 'short',
          queries: [{ expr: overMedian('sync_duration_seconds:p99_5m'), legend: NAME }],
        }),
        timeseries({
          title: 'Puts over the median',
          description: 'The ten stores that are written most, as a multiple of the median store.',
          unit: 'short',
          queries: [{ expr: overMedian('puts:rate5m'), legend: NAME }],
        }),
        timeseries({
          title: 'Operations a second',
          description: 'Gets, puts, deletes and syncs of the fleet, over five minutes.',
          unit: 'ops',
          queries: ['gets', 'puts', 'deletes', 'syncs'].map((operation) => ({
            expr: `sum(${recorded(`${operation}:rate5m`)})`,
            legend: operation,
          })),
          stacked: true,
        }),
        timeseries({
          title: 'Live and dead bytes',
          description: 'Of the fleet.',
          unit: 'bytes',
          queries: [
            { expr: `sum by (kind) (tidemark_segment_bytes{${STORE}})`, legend: '{{kind}}' },
          ],
          stacked: true,
        }),
        timeseries({
          title: 'Put p99 over the median',
          description: 'The ten stores whose puts are slowest, as a multiple of the median store.',
          unit: 'short',
          queries: [{ expr: overMedian('put_duration_seconds:p99_5m'), legend: NAME }],
        }),
      ],
    },
  ],
};
