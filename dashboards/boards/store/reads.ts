import { type RowSpec, STORE } from '../../panels/dashboard.ts';
import { BY, NAME, quantiles, rate, ratio } from '../../panels/expressions.ts';
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
      description: 'By what they are for.',
      unit: 'Bps',
      queries: [
        {
          expr: rate('tidemark_pread_bytes_total', 'by (site, instance, store)'),
          legend: `{{site}} ${NAME}`,
        },
      ],
      stacked: true,
    }),
    timeseries({
      title: 'Bytes read for a get',
      description:
        'Read amplification: bytes read for gets over gets that hit. The frame of the record, and no more.',
      unit: 'bytes',
      queries: [
        {
          expr: ratio(
            rate('tidemark_pread_bytes_total', BY, 'site="get"'),
            rate('tidemark_gets_total', BY, 'result="hit"'),
          ),
          legend: NAME,
        },
      ],
    }),
    timeseries({
      title: 'Checksums a second',
      description: 'CRC validations by outcome. A mismatch is damage.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_crc_validations_total', 'by (site, outcome, instance, store)'),
          legend: `{{site}} {{outcome}} ${NAME}`,
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
      queries: quantiles('crc_validate'),
    }),
    heatmap({
      title: 'Gets by their time',
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
      span: 12,
      queries: [
        { expr: rate('tidemark_fd_pool_hits_total'), legend: `hit ${NAME}` },
        { expr: rate('tidemark_fd_pool_misses_total'), legend: `miss ${NAME}` },
        { expr: rate('tidemark_fd_pool_evictions_total'), legend: `evicted ${NAME}` },
      ],
    }),
  ],
};
