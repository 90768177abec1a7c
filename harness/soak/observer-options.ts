import type { Progress } from './progress.ts';
import type { SoakConfiguration } from './run/configuration.ts';
import type { RunEvent } from './run/run-event.ts';
import type { Prepared } from './run/store-process.ts';
import type { Sample } from './sampling/sample.ts';

export interface ObserverOptions {
  readonly configuration: SoakConfiguration;
  readonly sampleIntervalMs: number;
  /** The share of the run that no gate judges. */
  readonly warmupShare: number;
  readonly progress: Progress;
  /** Called when adapter and input are known to be usable: where the run takes place. */
  readonly begin: (prepared: Prepared, pid: number) => Place;
  /** True ends the run: a gate that must not fail has failed. */
  readonly sampled: (sample: Sample, isWarm: boolean) => boolean;
  readonly happened: (event: RunEvent) => void;
}

export interface Place {
  readonly storeDirectory: string;
  /** Goes with the run, even when this process is gone. */
  readonly temporaryPath?: string | undefined;
  /** A file of the observer, outside the store. */
  readonly acknowledgementPath: string;
}
