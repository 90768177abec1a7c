import { PROCESS, type RowSpec, STORE } from '../../panels/dashboard.ts';
import { recorded } from '../../panels/expressions.ts';
import { stat, table } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const HEALTH_ROW: RowSpec = {
  title: 'Health',
  panels: [
    stat({
      title: 'Writer',
      description:
        'Poisoned once a write or a sync has failed: reads go on, writes fail until the store is reopened. Lease only: the kernel lock could not be loaded.',
      unit: 'none',
      queries: [
        {
          expr: `(max(tidemark_poisoned{${STORE}}) + 2 * (1 - min(tidemark_kernel_lock{${STORE}}))) or max(tidemark_poisoned{${STORE}})`,
          legend: 'poisoned',
        },
      ],
      words: { 0: 'writing', 1: 'POISONED', 2: 'LEASE ONLY', 3: 'POISONED' },
      red: 1,
    }),
    stat({
      title: 'Damage met',
      description:
        'Frames whose bytes are not those that were written. Anything above 0 wants a look at once.',
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
      title: 'Durable lag',
      description:
        'Time since the last sync of the store that is furthest behind; 0 when everything is durable.',
      unit: 's',
      queries: [{ expr: `max(${recorded('durable_lag_seconds:current')})`, legend: 'lag' }],
      red: THRESHOLDS.durableLagSeconds,
    }),
    stat({
      title: 'Last sync',
      description:
        'How long ago the last sync ended. Old is no harm while nothing waits to become durable.',
      unit: 's',
      queries: [
        { expr: `time() - min(tidemark_last_sync_timestamp_seconds{${STORE}} > 0)`, legend: 'ago' },
      ],
    }),
    stat({
      title: 'Garbage',
      description:
        'Share of the bytes on disk that belong to no live record, of stores large enough to be worth a compaction.',
      unit: 'percentunit',
      queries: [
        {
          expr: `max(${recorded('garbage:ratio')} * on (job, instance, store) (sum by (job, instance, store) (tidemark_segment_bytes{${STORE}}) > bool ${THRESHOLDS.garbageLeastBytes}))`,
          legend: 'dead',
        },
      ],
      red: THRESHOLDS.garbageRatio,
    }),
    stat({
      title: 'Growth of descriptors',
      description:
        'Files held now beyond those of two hours ago, each time the least: growing without end is a leak.',
      unit: 'short',
      queries: [{ expr: `max(${recorded('open_fds:growth2h')})`, legend: 'more files' }],
      red: THRESHOLDS.descriptorGrowth,
    }),
    stat({
      title: 'Alerts firing',
      description: 'Alerts of these processes that fire now.',
      unit: 'short',
      queries: [
        {
          expr: `count(ALERTS{alertname=~"Tidemark.+", alertstate="firing", ${PROCESS}}) or 0 * sum(tidemark_keys{${STORE}})`,
          legend: 'firing',
        },
      ],
      red: 1,
    }),
    stat({
      title: 'Sync p99',
      description: 'The slowest sync in a hundred, over five minutes: the disk.',
      unit: 's',
      queries: [{ expr: `max(${recorded('sync_duration_seconds:p99_5m')})`, legend: 'p99' }],
      red: THRESHOLDS.syncP99Seconds,
    }),
    stat({
      title: 'Writers standing still',
      description: 'Share of the time that writes wait for a sync.',
      unit: 'percentunit',
      queries: [{ expr: `max(${recorded('write_stall:ratio_rate5m')})`, legend: 'stalled' }],
      red: THRESHOLDS.writeStallRatio,
    }),
    stat({
      title: 'Live keys',
      description: 'Keys that a get would find.',
      unit: 'short',
      queries: [{ expr: `sum(tidemark_keys{${STORE}})`, legend: 'keys' }],
    }),
    stat({
      title: 'On disk',
      description: 'Bytes of all segments, live and dead.',
      unit: 'bytes',
      queries: [{ expr: `sum(tidemark_segment_bytes{${STORE}})`, legend: 'bytes' }],
    }),
    stat({
      title: 'Disk free in a day',
      description:
        "What the host's fullest file system will have left a day from now, by the last six hours; below 0 it is full.",
      unit: 'bytes',
      queries: [
        {
          expr: `min(job_instance:tidemark_host_disk_available_bytes:predict1d{${PROCESS}})`,
          legend: 'free',
        },
      ],
      red: THRESHOLDS.diskAvailableBytes,
      redBelow: true,
    }),
    table({
      title: 'What is wrong',
      description: 'Alerts of these processes that fire or are about to, and on which store.',
      unit: 'short',
      span: 24,
      queries: [
        {
          expr: `max by (alertname, alertstate, severity, job, instance, store) (ALERTS{alertname=~"Tidemark.+", ${PROCESS}})`,
          legend: 'alert',
        },
      ],
      sortedBy: 'severity',
      emptyWhenWell: true,
    }),
  ],
};
