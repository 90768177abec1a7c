import type { Probe } from '../engine/index.ts';

/**
 * What is needed of a registry: that of prom-client 15, or of its successor @prometheus-io/client.
 * Metrics are handed to it ready, at scrape time.
 */
export interface MetricsRegistry {
  /** Takes up a metric that tells its values when it is asked; throws when the name is taken. */
  // biome-ignore lint/suspicious/noExplicitAny: each library has a class of its own here, of which we are none.
  registerMetric(metric: any): void;
  /** The metric of that name, or undefined. */
  getSingleMetric(name: string): unknown;
  /** Forgets the metric of that name; nothing happens where there is none. */
  removeSingleMetric(name: string): void;
  /** All metrics as text, in the format that `contentType` names. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

export interface PrometheusProbe extends Probe {
  /** Is the store that this is attached to poisoned? Undefined while none is open. */
  readonly poisonedNow: boolean | undefined;
  /** Why its store is of no use: it did not open, or is poisoned; undefined when all is well. */
  readonly trouble: string | undefined;
  /** Takes a store that did not open out of the registry; nobody will try again. */
  giveUp(): void;
}
