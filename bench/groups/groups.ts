import type { SetUpGroup } from '../measuring/group.ts';
import { compactGroup } from './compact.ts';
import { durableGroup } from './durable.ts';
import { floorsGroup } from './floors.ts';
import { getGroup } from './get.ts';
import { getManyGroup } from './get-many.ts';
import { memoryGroup } from './memory.ts';
import { openGroup } from './open.ts';
import { putGroup } from './put.ts';
import { stallGroup } from './stall.ts';

export interface GroupEntry {
  readonly setUp: SetUpGroup;
  /** Measured once, in one process: what is measured there does not scatter. */
  readonly once?: true;
  /** Long in each round: a few rounds must do. */
  readonly mostRounds?: number;
  /** A few hundred calls are measured as well as many. */
  readonly canBeShort?: true;
}

export const GROUPS = {
  'get-100k': { setUp: getGroup('100k', 100_000, 1.6), canBeShort: true },
  'get-1m': { setUp: getGroup('1m', 1_000_000, 1.8) },
  'get-many': { setUp: getManyGroup },
  put: { setUp: putGroup, canBeShort: true },
  durable: { setUp: durableGroup },
  open: { setUp: openGroup, mostRounds: 3 },
  compact: { setUp: compactGroup, mostRounds: 1 },
  stall: { setUp: stallGroup, mostRounds: 1 },
  memory: { setUp: memoryGroup, once: true },
  floors: { setUp: floorsGroup },
} as const satisfies Record<string, GroupEntry>;

export type GroupName = keyof typeof GROUPS;

export const GROUP_NAMES = Object.keys(GROUPS) as GroupName[];

export function groupEntry(name: GroupName): GroupEntry {
  return GROUPS[name];
}
