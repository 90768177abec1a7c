import { type RowSpec, STORE } from '../../panels/dashboard.ts';
import { BY, mean, NAME, quantiles, rate, ratio, recorded } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const DURABILITY_ROW: RowSpec = {
  title: 'Durability',
  panels: [
    timeseries({
      title: 'Time until a write is durable',
      description: 'From the call of sync or putDurable to its acknowledgement.',
      unit: 's',
      queries: quantiles('durable_wait'),
      traced: true,
    }),
    timeseries({
      title: 'Callers a sync',
      description: 'How many callers one sync acknowledges: group commit.',
      unit: 'short',
      queries: [
        {
          expr: ratio(rate('tidemark_sync_waiters_total'), rate('tidemark_syncs_total')),
          legend: NAME,
        },
      ],
    }),
    timeseries({
      title: 'Durable lag over time',
      description: 'Time since the last sync while something is not durable.',
      unit: 's',
      queries: [{ expr: recorded('durable_lag_seconds:current'), legend: NAME }],
      red: THRESHOLDS.durableLagSeconds,
    }),
    timeseries({
      title: 'Bytes a power cut could take',
      description: 'Appended and not yet synced.',
      unit: 'bytes',
      queries: [{ expr: `tidemark_unsynced_bytes{${STORE}}`, legend: NAME }],
    }),
    timeseries({
      title: 'Write stalls',
      description: 'Share of the time that writes wait for a sync.',
      unit: 'percentunit',
      queries: [{ expr: rate('tidemark_write_stall_duration_seconds_sum'), legend: NAME }],
      red: THRESHOLDS.writeStallRatio,
    }),
    timeseries({
      title: 'Write stalls by reason',
      description:
        'rotation: the disk does not keep up; unsynced-records: half a million records without a sync.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_write_stalls_total', 'by (reason, instance, store)'),
          legend: `{{reason}} ${NAME}`,
        },
      ],
      emptyWhenWell: true,
    }),
    timeseries({
      title: 'Time of a write stall',
      description: 'How long a write waited.',
      unit: 's',
      queries: [{ expr: mean('write_stall'), legend: NAME }],
      emptyWhenWell: true,
    }),
    timeseries({
      title: 'Lease losses',
      description:
        'The lease beside the kernel lock: lost when the event loop stood still for seconds.',
      unit: 'short',
      queries: [
        {
          expr: `sum ${BY} (increase(tidemark_lease_losses_total{${STORE}}[$__rate_interval]))`,
          legend: NAME,
        },
      ],
    }),
  ],
};
