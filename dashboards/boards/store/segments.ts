import { type RowSpec, STORE } from '../../panels/dashboard.ts';
import { BY, mean, NAME, rate, recorded } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const SEGMENTS_ROW: RowSpec = {
  title: 'Segments and compaction',
  panels: [
    timeseries({
      title: 'Live and dead bytes',
      description: 'Of frames that the keydir points to, and of all others.',
      unit: 'bytes',
      queries: [
        {
          expr: `sum by (kind, instance, store) (tidemark_segment_bytes{${STORE}})`,
          legend: `{{kind}} ${NAME}`,
        },
      ],
      stacked: true,
    }),
    timeseries({
      title: 'Garbage over time',
      description: 'Dead bytes over all bytes.',
      unit: 'percentunit',
      queries: [{ expr: recorded('garbage:ratio'), legend: NAME }],
      red: THRESHOLDS.garbageRatio,
      max: 1,
    }),
    timeseries({
      title: 'Segments',
      description: 'The active one, and those sealed.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (state, instance, store) (tidemark_segments{${STORE}})`,
          legend: `{{state}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Seal files',
      description: 'By what became of them. With one, an opening need not read its segment.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (outcome, instance, store) (tidemark_seals_total{${STORE}})`,
          legend: `{{outcome}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Rotations and compactions',
      description:
        'Segments rotated away from, and compactions by outcome. A failed one left an error beside it.',
      unit: 'short',
      queries: [
        {
          expr: `sum ${BY} (increase(tidemark_rotations_total{${STORE}}[$__rate_interval]))`,
          legend: `rotation ${NAME}`,
        },
        {
          expr: `sum by (outcome, instance, store) (increase(tidemark_compactions_total{${STORE}}[$__rate_interval]))`,
          legend: `compaction {{outcome}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Bytes moved by compaction',
      description: 'Read from segments and written to new ones.',
      unit: 'Bps',
      queries: [
        {
          expr: rate('tidemark_compaction_bytes_total', 'by (direction, instance, store)'),
          legend: `{{direction}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Time of a compaction',
      description: 'From its start to its publication.',
      unit: 's',
      queries: [{ expr: mean('compaction'), legend: NAME }],
      traced: true,
    }),
    timeseries({
      title: 'Scrubs and backups',
      description:
        'By what came of them, since the process started. Flat means that nobody runs them.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (outcome, instance, store) (tidemark_verifications_total{${STORE}})`,
          legend: `scrub {{outcome}} ${NAME}`,
        },
        {
          expr: `sum by (outcome, instance, store) (tidemark_backups_total{${STORE}})`,
          legend: `backup {{outcome}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Age of the last scrub and backup',
      description: 'Since one ended well. Empty where none has in this process.',
      unit: 's',
      emptyWhenWell: true,
      queries: [
        {
          expr: `time() - (tidemark_last_verification_timestamp_seconds{${STORE}} > 0)`,
          legend: `scrub ${NAME}`,
        },
        {
          expr: `time() - (tidemark_last_backup_timestamp_seconds{${STORE}} > 0)`,
          legend: `backup ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Write amplification',
      description: 'Bytes written, compaction included, over bytes of keys and values.',
      unit: 'short',
      queries: [{ expr: recorded('write_amplification:ratio_rate5m'), legend: NAME }],
    }),
    timeseries({
      title: 'Bytes appended',
      description:
        'Frames, and what of them is keys and values. The rest is the format: 28 bytes per record.',
      unit: 'Bps',
      queries: [
        { expr: rate('tidemark_appended_bytes_total'), legend: `frames ${NAME}` },
        { expr: rate('tidemark_user_bytes_total'), legend: `keys and values ${NAME}` },
      ],
    }),
  ],
};
