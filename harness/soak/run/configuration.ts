import type { KeyDistribution } from '../../key-distribution.ts';
import type { SizeClass } from '../../synthetic-values.ts';
import type { OperationMix } from '../../workload.ts';
import type { PlantName } from './plants.ts';
import type { TelemetryConfiguration } from './store-telemetry.ts';

/** What a run does; the same configuration with the same seed does the same operations. */
export interface SoakConfiguration {
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** A name or an absolute path. */
  readonly adapter: string;
  /** The number of keys of synthetic data. */
  readonly keyCount: number;
  /** Real data instead of synthetic. */
  readonly input?: { readonly path: string; readonly keyField?: string };
  readonly telemetry?: TelemetryConfiguration;
  /** Whichever of these comes first ends the writing. At least one is there. */
  readonly goal: {
    /** Keys and values of puts. */
    readonly bytes?: number;
    readonly seconds?: number;
    /** How often the input is read through. */
    readonly passes?: number;
  };
  readonly workload: WorkloadConfiguration;
  /** kill -9 in the middle, and recovery checked. */
  readonly chaos?: ChaosConfiguration;
  /** A fault put between driver and store on purpose, to see whether the gates notice. */
  readonly plant?: PlantName;
}

export interface WorkloadConfiguration {
  readonly mix: OperationMix;
  readonly distribution: KeyDistribution;
  /** The sizes of synthetic values. */
  readonly sizes: readonly SizeClass[];
  /** The rate that is kept. Without it the run goes as fast as it can. */
  readonly operationsPerSecond?: number;
  /** 0 is never (but before every close, and at the end). */
  readonly syncEveryOperations: number;
  /**
   * The store is reopened after so many bytes of puts, or after the live set was written once over,
   * if that is more; 0 is never.
   */
  readonly reopenEveryBytes: number;
  /** One compaction per so many reopens, before the last of them; 0 is never. */
  readonly compactEveryReopens: number;
}

export interface ChaosConfiguration {
  /** How often the store process is killed, spread over the run. */
  readonly kills: number;
  /**
   * What the death of a process must not undo: every put that has returned, or only what a sync has
   * covered.
   */
  readonly survives: 'put' | 'sync';
}
