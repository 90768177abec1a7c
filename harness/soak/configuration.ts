import type { TelemetryConfiguration } from './store-telemetry.ts';

/** What a run does; the same configuration with the same seed does the same operations. */
export interface SoakConfiguration {
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** A name or an absolute path. */
  readonly adapter: string;
  /** Of synthetic data. */
  readonly keyCount: number;
  /** Real data instead of synthetic. */
  readonly input?: { readonly path: string; readonly keyField?: string };
  readonly telemetry?: TelemetryConfiguration;
  /** Whichever of these comes first ends the writing. At least one is there. */
  readonly goal: {
    /** Keys and values of puts. */
    readonly bytes?: number;
    readonly seconds?: number;
    /** Over the input. */
    readonly passes?: number;
  };
}
