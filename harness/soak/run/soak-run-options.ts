import type { KeyedValues } from '../../keyed-values.ts';
import type { OpenStoreUnderTest } from '../../store-under-test.ts';
import type { Workload } from '../../workload.ts';
import type { Acknowledged } from './acknowledgements.ts';
import type { WorkloadConfiguration } from './configuration.ts';
import type { Ledger } from './ledger.ts';
import type { Checkpoint } from './messages.ts';
import type { Adoption, Undecided } from './replay.ts';

export interface SoakRunOptions {
  readonly open: OpenStoreUnderTest;
  readonly directory: string;
  readonly values: KeyedValues;
  readonly ledger: Ledger;
  readonly workload: Workload;
  readonly shape: WorkloadConfiguration;
  readonly goalBytes?: number;
  readonly goalSeconds?: number;
  /** The operations that a killed process left undecided. */
  readonly undecided?: Undecided;
  /**
   * Called when the store is at rest; the run goes on when it resolves. False asks for another one
   * in a moment.
   */
  readonly checkpoint: (checkpoint: Checkpoint) => Promise<boolean>;
  /** Called when the store has acknowledged something. */
  readonly acknowledge?: (acknowledged: Acknowledged) => void;
  readonly recovered: (adoptions: readonly Adoption[]) => Promise<void>;
  readonly happened: (kind: 'compaction' | 'reopen', durationMs: number) => void;
}
