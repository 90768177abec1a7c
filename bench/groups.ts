import type { SetUpGroup } from './group.ts';
import { compactGroup } from './groups/compact.ts';
import { durableGroup } from './groups/durable.ts';
import { floorsGroup } from './groups/floors.ts';
import { getGroup } from './groups/get.ts';
import { getManyGroup } from './groups/get-many.ts';
import { memoryGroup } from './groups/memory.ts';
import { openGroup } from './groups/open.ts';
import { putGroup } from './groups/put.ts';
import { stallGroup } from './groups/stall.ts';

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
