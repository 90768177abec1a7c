import { type RowSpec, STORE } from '../../panels/dashboard.ts';
import { mean, NAME, quantiles, rate } from '../../panels/expressions.ts';
import { heatmap, timeseries } from '../../panels/panel-kinds.ts';

export const READS_ROW: RowSpec = {
  title: 'Reads and checksums',
  panels: [
    timeseries({
      title: 'Preads a second',
      description:
        'By what they are for: one for each get that hits; scans, compactions and verifications beside them.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_preads_total', 'by (site, instance, store)'),
          legend: `{{site}} ${NAME}`,
        },
      ],
      stacked: true,
    }),
    timeseries({
      title: 'Bytes read a second',
      description: 'For gets, and for scans, compactions, seals and scrubs beside them.',
      unit: 'Bps',
      queries: [
        {
          expr: rate('tidemark_pread_bytes_total'),
          legend: NAME,
        },
      ],
      stacked: true,
    }),
    timeseries({
      title: 'Checksums a second',
      description: 'CRC validations by outcome. A mismatch is damage.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_crc_validations_total', 'by (outcome, instance, store)'),
          legend: `{{outcome}} ${NAME}`,
        },
      ],
    }),
    timeseries({
      title: 'Time of a pread',
      description:
        'Part of a get. Above microseconds the page cache is too small for what is read.',
      unit: 's',
      queries: quantiles('pread'),
    }),
    timeseries({
      title: 'Time of a checksum',
      description: 'Part of a get. Ten times slower than usual: the slow implementation is in use.',
      unit: 's',
      queries: [{ expr: mean('crc_validate'), legend: NAME }],
    }),
    heatmap({
      title: 'Gets by their time',
      span: 8,
      description: 'How many gets took how long. Two bands are the page cache and the disk.',
      unit: 's',
      queries: [
        {
          expr: `sum by (le) (increase(tidemark_get_duration_seconds_bucket{${STORE}}[$__rate_interval]))`,
          legend: '{{le}}',
        },
      ],
    }),
    timeseries({
      title: 'Read descriptors',
      description:
        'Reads that found their segment open, that had to open it, and descriptors closed to make room.',
      unit: 'ops',
      queries: [
        { expr: rate('tidemark_fd_pool_hits_total'), legend: `hit ${NAME}` },
        { expr: rate('tidemark_fd_pool_misses_total'), legend: `miss ${NAME}` },
        { expr: rate('tidemark_fd_pool_evictions_total'), legend: `evicted ${NAME}` },
      ],
    }),
  ],
};
