import { type DashboardSpec, PROCESS, STORE } from '../panels/dashboard.ts';
import type { Query } from '../panels/panel.ts';
import { heatmap, stat, timeseries } from '../panels/panel-kinds.ts';
import { THRESHOLDS } from '../panels/thresholds.ts';

const RUN = '{{instance}}';
const BASELINE = /baseline/;

/**
 * The same of now and of a run some time ago, in grey. `expr` takes what stands behind a selector.
 */
const compared = (expr: (offset: string) => string, legend: string): Query[] => [
  { expr: expr(''), legend },
  { expr: expr(' offset $baseline'), legend: `baseline ${legend}` },
];

const rateOf = (family: string) => (offset: string) =>
  `sum by (instance) (rate(${family}{${STORE}}[$__rate_interval]${offset}))`;

const p99 = (operation: string) => (offset: string) =>
  `histogram_quantile(0.99, sum by (le, instance) (rate(tidemark_${operation}_duration_seconds_bucket{${STORE}}[$__rate_interval]${offset})))`;

const descriptorsUnaccounted = `process_open_fds{${PROCESS}} - on (job, instance) sum by (job, instance) (tidemark_open_fds{${STORE}})`;

export const SOAK_DASHBOARD: DashboardSpec = {
  uid: 'tidemark-soak',
  title: 'tidemark / Soak',
  description: 'One soak run, or several side by side, over an earlier one in grey.',
  refresh: '5s',
  from: 'now-15m',
  baselines: ['1h', '6h', '12h', '1d', '7d'],
  rows: [
    {
      title: 'Gates',
      panels: [
        stat({
          title: 'Damage',
          description: 'Damage that the runs have met. Any is a failure, unless it was planted.',
          unit: 'short',
          queries: [
            {
              expr: `sum(tidemark_corruptions_total{${STORE}}) or 0 * sum(tidemark_keys{${STORE}})`,
              legend: 'damage',
            },
          ],
          red: 1,
        }),
        stat({
          title: 'Writer',
          description: 'Poisoned once a write or a sync has failed.',
          unit: 'none',
          queries: [{ expr: `max(tidemark_poisoned{${STORE}})`, legend: 'poisoned' }],
          words: { 0: 'writing', 1: 'POISONED' },
          red: 1,
        }),
        stat({
          title: 'Memory slope',
          description:
            'Growth of RSS an hour beyond that of the keydirs. The first minutes of a run are warming up.',
          unit: 'bytes',
          queries: [
            {
              expr: `max(job_instance:tidemark_process_memory_bytes:slope1h{${PROCESS}})`,
              legend: 'an hour',
            },
          ],
          red: THRESHOLDS.memorySlopeBytesPerHour,
        }),
        stat({
          title: 'Growth of descriptors',
          description: 'Files that the store holds beyond those at its least.',
          unit: 'short',
          queries: [
            {
              expr: `max(job_instance_store:tidemark_open_fds:growth2h{${STORE}})`,
              legend: 'more files',
            },
          ],
          red: THRESHOLDS.descriptorGrowth,
        }),
        stat({
          title: 'Sync p99',
          description: 'The slowest sync in a hundred, over five minutes.',
          unit: 's',
          queries: [
            {
              expr: `max(job_instance_store:tidemark_sync_duration_seconds:p99_5m{${STORE}})`,
              legend: 'p99',
            },
          ],
          red: THRESHOLDS.syncP99Seconds,
        }),
        stat({
          title: 'Written so far',
          description: 'Keys and values put by these processes.',
          unit: 'bytes',
          queries: [{ expr: `sum(tidemark_user_bytes_total{${STORE}})`, legend: 'written' }],
        }),
      ],
    },
    {
      title: 'Throughput',
      panels: [
        timeseries({
          title: 'Bytes a second',
          description: 'Keys and values put; in grey, the baseline.',
          unit: 'Bps',
          queries: compared(rateOf('tidemark_user_bytes_total'), RUN),
          baseline: BASELINE,
        }),
        timeseries({
          title: 'Puts a second',
          description: 'Puts, batches included; in grey, the baseline.',
          unit: 'ops',
          queries: compared(rateOf('tidemark_puts_total'), RUN),
          baseline: BASELINE,
        }),
        timeseries({
          title: 'Gets a second',
          description: 'Gets, hits and misses; in grey, the baseline.',
          unit: 'ops',
          queries: compared(rateOf('tidemark_gets_total'), RUN),
          baseline: BASELINE,
        }),
      ],
    },
    {
      title: 'Drift',
      panels: [
        timeseries({
          title: 'RSS',
          description:
            'Resident memory of the process that holds the store; in grey, the baseline.',
          unit: 'bytes',
          queries: compared((offset) => `process_resident_memory_bytes{${PROCESS}}${offset}`, RUN),
          baseline: BASELINE,
        }),
        timeseries({
          title: 'Heap and external memory',
          description: 'What V8 uses, and what lies outside its heap: buffers, and the keydir.',
          unit: 'bytes',
          queries: [
            { expr: `nodejs_heap_size_used_bytes{${PROCESS}}`, legend: `heap ${RUN}` },
            { expr: `nodejs_external_memory_bytes{${PROCESS}}`, legend: `external ${RUN}` },
            {
              expr: `sum by (instance) (tidemark_keydir_bytes{${STORE}})`,
              legend: `keydir ${RUN}`,
            },
          ],
        }),
        timeseries({
          title: 'Descriptors',
          description:
            'Files open in the process, and those of it that the store does not account for.',
          unit: 'short',
          queries: [
            { expr: `process_open_fds{${PROCESS}}`, legend: `process ${RUN}` },
            { expr: `sum by (instance) (tidemark_open_fds{${STORE}})`, legend: `store ${RUN}` },
            { expr: descriptorsUnaccounted, legend: `others ${RUN}` },
          ],
        }),
        timeseries({
          title: 'Get p99',
          description: 'The slowest get in a hundred; in grey, the baseline.',
          unit: 's',
          queries: compared(p99('get'), RUN),
          baseline: BASELINE,
          traced: true,
        }),
        timeseries({
          title: 'Put p99',
          description: 'The slowest put or delete in a hundred; in grey, the baseline.',
          unit: 's',
          queries: compared(p99('put'), RUN),
          baseline: BASELINE,
          traced: true,
        }),
        timeseries({
          title: 'Event loop p99',
          description: 'How late the event loop of the process is, in its worst hundredth.',
          unit: 's',
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${PROCESS}}`, legend: RUN }],
        }),
        timeseries({
          title: 'CPU',
          description: 'Cores that the process keeps busy.',
          unit: 'short',
          queries: compared(
            (offset) => `rate(process_cpu_seconds_total{${PROCESS}}[$__rate_interval]${offset})`,
            RUN,
          ),
          baseline: BASELINE,
        }),
        timeseries({
          title: 'On disk',
          description: 'Bytes of segments, live and dead. The teeth of the saw are compactions.',
          unit: 'bytes',
          queries: [
            {
              expr: `sum by (kind, instance) (tidemark_segment_bytes{${STORE}})`,
              legend: `{{kind}} ${RUN}`,
            },
          ],
          stacked: true,
        }),
        timeseries({
          title: 'Openings',
          description: 'Of the store by its process, by outcome: what a soak does on purpose.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (outcome, instance) (tidemark_recoveries_total{${STORE}})`,
              legend: `{{outcome}} ${RUN}`,
            },
          ],
        }),
      ],
    },
    {
      title: 'Distribution',
      panels: [
        heatmap({
          title: 'Puts by their time',
          description: 'How many puts took how long.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (increase(tidemark_put_duration_seconds_bucket{${STORE}}[$__rate_interval]))`,
              legend: '{{le}}',
            },
          ],
        }),
        heatmap({
          title: 'Syncs by their time',
          description: 'How many syncs took how long.',
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
  ],
};
