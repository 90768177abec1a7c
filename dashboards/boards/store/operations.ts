import type { RowSpec } from '../../panels/dashboard.ts';
import { NAME, quantiles, rate } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const OPERATIONS_ROW: RowSpec = {
  title: 'Operations',
  panels: [
    timeseries({
      title: 'Operations a second',
      description:
        'Gets that hit and that miss, puts, deletes, and syncs that made something durable.',
      unit: 'ops',
      queries: [
        {
          expr: rate('tidemark_gets_total', 'by (result, instance, store)'),
          legend: `get {{result}} ${NAME}`,
        },
        { expr: rate('tidemark_puts_total'), legend: `put ${NAME}` },
        { expr: rate('tidemark_deletes_total'), legend: `delete ${NAME}` },
        { expr: rate('tidemark_syncs_total'), legend: `sync ${NAME}` },
      ],
    }),
    timeseries({
      title: 'Operations that failed',
      description: 'By operation and error code. The code says what to do.',
      unit: 'ops',
      queries: [
        {
          expr: `${rate('tidemark_operation_errors_total', 'by (operation, code, instance, store)')} > 0`,
          legend: `{{operation}} {{code}} ${NAME}`,
        },
      ],
      emptyWhenWell: true,
    }),
    timeseries({
      title: 'Time of a get',
      description:
        'Microseconds while the page cache holds the live set; milliseconds are the disk.',
      unit: 's',
      queries: quantiles('get'),
      traced: true,
    }),
    timeseries({
      title: 'Time of a put or delete',
      description: 'Appended, not yet durable. The tail is write stalls.',
      unit: 's',
      queries: quantiles('put'),
      traced: true,
    }),
    timeseries({
      title: 'Time of a sync',
      description: 'What a durable put waits for.',
      unit: 's',
      queries: quantiles('sync'),
      red: THRESHOLDS.syncP99Seconds,
      traced: true,
    }),
  ],
};
