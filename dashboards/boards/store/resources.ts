import { PROCESS, type RowSpec, STORE } from '../../panels/dashboard.ts';
import { NAME } from '../../panels/expressions.ts';
import { timeseries } from '../../panels/panel-kinds.ts';
import { THRESHOLDS } from '../../panels/thresholds.ts';

export const RESOURCES_ROW: RowSpec = {
  title: 'Memory and descriptors',
  panels: [
    timeseries({
      title: 'Keydir',
      description: 'Memory of the keys, outside the V8 heap.',
      unit: 'bytes',
      queries: [{ expr: `tidemark_keydir_bytes{${STORE}}`, legend: NAME }],
    }),
    timeseries({
      title: 'Keydir bytes per key',
      description: 'About 35 bytes and the key; more with few keys, or just after it has grown.',
      unit: 'bytes',
      queries: [
        { expr: `tidemark_keydir_bytes{${STORE}} / (tidemark_keys{${STORE}} > 0)`, legend: NAME },
      ],
    }),
    timeseries({
      title: 'Process memory slope',
      description: 'Growth of RSS an hour beyond that of the keydirs.',
      unit: 'bytes',
      queries: [
        {
          expr: `job_instance:tidemark_process_memory_bytes:slope1h{${PROCESS}}`,
          legend: '{{instance}}',
        },
      ],
      red: THRESHOLDS.memorySlopeBytesPerHour,
    }),
    timeseries({
      title: 'Files held open',
      description: 'By the store, and by its whole process.',
      unit: 'short',
      queries: [
        { expr: `tidemark_open_fds{${STORE}}`, legend: NAME },
        { expr: `process_open_fds{${PROCESS}}`, legend: 'process {{instance}}' },
      ],
    }),
    timeseries({
      title: 'Disk of the host',
      description: 'What is left on the fullest file system of the host.',
      unit: 'bytes',
      queries: [
        {
          expr: `job_instance:tidemark_host_disk_available_bytes:min{${PROCESS}}`,
          legend: '{{host}} {{instance}}',
        },
      ],
    }),
  ],
};
