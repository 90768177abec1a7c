import type { CampaignFile } from './campaign-schema.ts';
import type { UnitLine } from './unit-lines.ts';

/** What a shard and the processes that run its units say to each other. */

export type ToUnitProcess =
  | {
      readonly type: 'run';
      readonly campaign: CampaignFile;
      readonly part: string;
      readonly unit: number;
      /** An empty directory of the unit's own. */
      readonly directory: string;
      /** Where findings are kept. */
      readonly blob: string;
    }
  /** Answer soon; nobody will count it. */
  | { readonly type: 'stop' }
  /** There is nothing more to do. */
  | { readonly type: 'end' };

export type FromUnitProcess =
  /** Comes every second unless something hangs. */
  | { readonly type: 'alive' }
  | { readonly type: 'done'; readonly line: UnitLine }
  /** The harness itself failed. */
  | { readonly type: 'failed'; readonly message: string };
