import { type RowSpec, STORE } from '../../panels/dashboard.ts';
import { BY, NAME, recorded } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const RECOVERY_ROW: RowSpec = {
  title: 'Recovery',
  panels: [
    timeseries({
      title: 'State',
      description: 'Of the store in its directory: opening, open, or failed to open.',
      unit: 'short',
      queries: [
        {
          expr: `max by (state, instance, store) (tidemark_state{${STORE}}) * on (instance, store) group_left (directory, version) max by (directory, version, instance, store) (tidemark_info{${STORE}}) > 0`,
          legend: `{{state}} {{directory}} {{version}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Openings',
      description:
        'Of this process so far, by outcome. recovered: it was not closed in order before.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (outcome, instance, store) (tidemark_recoveries_total{${STORE}})`,
          legend: `{{outcome}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Time of an opening',
      description: 'Mean of the openings of this process.',
      unit: 's',
      queries: [{ expr: recorded('recovery_duration_seconds:mean'), legend: NAME }],
      red: THRESHOLDS.recoverySeconds,
      traced: true,
    }),
    timeseries({
      title: 'Restarts and recoveries in an hour',
      description: 'Starts of the process and openings that found a store not closed in order.',
      unit: 'short',
      queries: [{ expr: recorded('recoveries:increase1h'), legend: NAME }],
      red: THRESHOLDS.recoveriesPerHour,
    }),
    timeseries({
      title: 'Torn bytes cut off',
      description:
        'Unfinished ends that openings of this process removed; they are in quarantine/.',
      unit: 'bytes',
      queries: [{ expr: `sum ${BY} (tidemark_truncated_bytes_total{${STORE}})`, legend: NAME }],
    }),
    timeseries({
      title: 'Damage by kind',
      description: 'Since the process began, by error code.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (kind, instance, store) (tidemark_corruptions_total{${STORE}}) > 0`,
          legend: `{{kind}} ${NAME}`,
        },
      ],
      red: 1,
      emptyWhenWell: true,
    }),
  ],
};
