import type { DashboardSpec } from '../../panels/dashboard.ts';
import { DURABILITY_ROW } from './durability.ts';
import { HEALTH_ROW } from './health.ts';
import { OPERATIONS_ROW } from './operations.ts';
import { READS_ROW } from './reads.ts';
import { RECOVERY_ROW } from './recovery.ts';
import { RESOURCES_ROW } from './resources.ts';
import { SEGMENTS_ROW } from './segments.ts';
import { SELF_ROW } from './self.ts';

export const STORE_DASHBOARD: DashboardSpec = {
  uid: 'tidemark-store',
  title: 'tidemark / Store',
  description: 'One store, or a few: is it well, what does it do, where does its time go.',
  refresh: '30s',
  from: 'now-1h',
  rows: [
    HEALTH_ROW,
    OPERATIONS_ROW,
    READS_ROW,
    DURABILITY_ROW,
    SEGMENTS_ROW,
    RESOURCES_ROW,
    RECOVERY_ROW,
    SELF_ROW,
  ],
};
