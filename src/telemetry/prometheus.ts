import { checkOptions, type StoreError } from '../engine/index.ts';
import { DurationHistogram, type Exemplar } from './duration-histogram.ts';
import { METRICS, type Metric } from './metric-table.ts';
import type { MetricsRegistry, PrometheusProbe } from './metrics-registry.ts';
import type { Sample } from './samples.ts';
import { StoreMetrics } from './store-metrics.ts';

export {
  type HttpLimits,
  type HttpServer,
  type HttpServerOptions,
  type ServedRequest,
  sendText,
  serveHttp,
} from './http-server.ts';
export { METRIC_FAMILIES, type MetricFamily } from './metric-table.ts';
export type { MetricsRegistry, PrometheusProbe } from './metrics-registry.ts';
export { type MetricsServer, type ServeMetricsOptions, serveMetrics } from './serve-metrics.ts';

export interface PrometheusProbeOptions {
  readonly registry: MetricsRegistry;
}

/** What prom-client calls a metric, as far as it looks at one. */
interface RegistryMetric {
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  get(): Promise<Snapshot>;
  reset(): void;
}

interface Snapshot {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: RegistryValue[];
}

interface RegistryValue {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string>>;
    readonly value: number;
    /** Seconds since 1970. */
    readonly timestamp: number;
  };
}

interface Joined {
  readonly stores: Set<StoreMetrics>;
  readonly metrics: readonly FamilyInRegistry[];
}

/** The stores whose metrics stand in a registry. */
const attached = new WeakMap<MetricsRegistry, Joined>();

/**
 * A probe for one store that counts in typed arrays, and fills the caller's registry when it is
 * scraped. The label `store` is the store's name: two stores in one registry need two names.
 * Attaching throws when the registry holds one of the names already, from something else; the
 * families leave the registry with the last store. A store that did not open stays in it until one
 * of its name opens, or `giveUp` is called.
 */
export function prometheusProbe(options: PrometheusProbeOptions): PrometheusProbe {
  const { registry } = checkOptions(options, 'prometheusProbe', ['registry']);
  if (typeof registry?.registerMetric !== 'function')
    throw new TypeError('prometheusProbe: registry must be a registry of prom-client');
  const metrics = new StoreMetrics();
  const attach = metrics.attach.bind(metrics);
  const detach = metrics.detach.bind(metrics);
  const giveUp = () => {
    if (metrics.failedWith === undefined) return;
    leave(registry, metrics);
    detach();
  };
  return Object.assign(metrics, {
    attach: (source: Parameters<typeof attach>[0]) => {
      giveUp();
      if (metrics.storeName !== undefined) {
        throw new Error(
          `this prometheusProbe is in use by the store ${metrics.storeName}; make one for each store`,
        );
      }
      join(registry, metrics, source.name);
      attach(source);
    },
    detach: (failure?: StoreError) => {
      if (failure === undefined) leave(registry, metrics);
      detach(failure);
    },
    giveUp,
  });
}

function join(registry: MetricsRegistry, metrics: StoreMetrics, name: string): void {
  const joined = attached.get(registry) ?? newlyJoined(registry);
  const others = [...joined.stores].filter((other) => other.storeName === name);
  if (others.some(({ failedWith }) => failedWith === undefined))
    throw new Error(`the registry already has a store named ${name}; give this one another name`);
  // A registry that was cleared has forgotten them.
  const missing = joined.metrics.filter((metric) => !isIn(registry, metric));
  const taken = missing.find(({ fullName }) => registry.getSingleMetric(fullName) !== undefined);
  if (taken !== undefined) {
    throw new Error(
      `the registry already holds a metric ${taken.fullName} that is not tidemark's; use another registry`,
    );
  }
  for (const metric of missing) registry.registerMetric(metric);
  attached.set(registry, joined);
  for (const failed of others) joined.stores.delete(failed);
  joined.stores.add(metrics);
}

function leave(registry: MetricsRegistry, metrics: StoreMetrics): void {
  const joined = attached.get(registry);
  if (joined === undefined || !joined.stores.delete(metrics) || joined.stores.size > 0) return;
  for (const metric of joined.metrics)
    if (isIn(registry, metric)) registry.removeSingleMetric(metric.fullName);
  attached.delete(registry);
}

function isIn(registry: MetricsRegistry, metric: FamilyInRegistry): boolean {
  return registry.getSingleMetric(metric.fullName) === metric;
}

function newlyJoined(registry: MetricsRegistry): Joined {
  const stores = new Set<StoreMetrics>();
  return {
    stores,
    metrics: METRICS.map((metric) => new FamilyInRegistry(metric, stores, registry)),
  };
}

/** One family of all stores of a registry. */
class FamilyInRegistry implements RegistryMetric {
  readonly fullName: string;
  /** prom-client takes `_total` off this where it writes OpenMetrics; `get` goes by `fullName`. */
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  private readonly samplesOf: Metric['samplesOf'];
  private readonly stores: ReadonlySet<StoreMetrics>;
  private readonly registry: MetricsRegistry;
  /** What `reset` has found, by store and series. */
  private zero = new WeakMap<StoreMetrics, ReadonlyMap<string, number>>();

  constructor(
    { name, help, kind, aggregator, samplesOf }: Metric,
    stores: ReadonlySet<StoreMetrics>,
    registry: MetricsRegistry,
  ) {
    this.registry = registry;
    this.fullName = name;
    this.name = name;
    this.help = help;
    this.type = kind;
    this.aggregator = aggregator;
    this.samplesOf = samplesOf;
    this.stores = stores;
  }

  async get(): Promise<Snapshot> {
    const { help, type, aggregator, stores, fullName } = this;
    const isOpenMetrics = this.registry.contentType.startsWith('application/openmetrics-text');
    const name = isOpenMetrics && type === 'counter' ? fullName.replace(/_total$/, '') : fullName;
    const values = [...stores].flatMap((metrics) => this.valuesOf(metrics));
    return { name, help, type, aggregator, values };
  }

  /** Counters and histograms begin at 0 again; state is as it is. */
  reset(): void {
    if (this.type === 'gauge') return;
    for (const metrics of this.stores) {
      this.zero.delete(metrics);
      const values = this.valuesOf(metrics).map((one) => [seriesOf(one), one.value] as const);
      this.zero.set(metrics, new Map(values));
    }
  }

  private valuesOf(metrics: StoreMetrics): RegistryValue[] {
    const store = metrics.storeName ?? '';
    const values = this.samplesOf(metrics).flatMap((sample) =>
      registryValues(this.fullName, store, sample),
    );
    const zero = this.zero.get(metrics);
    if (zero === undefined) return values;
    return values.map((one) => ({ ...one, value: one.value - (zero.get(seriesOf(one)) ?? 0) }));
  }
}

function seriesOf({ metricName, labels }: RegistryValue): string {
  return JSON.stringify([metricName, labels]);
}

function registryValues(name: string, store: string, { labels, value }: Sample): RegistryValue[] {
  if (!(value instanceof DurationHistogram)) return [{ labels: { store, ...labels }, value }];
  const counts = [...value.cumulative(), value.count];
  const buckets = counts.map((count, index) => {
    const bound = value.boundsNs[index];
    const exemplar = exemplarOf(value.exemplar(index));
    return {
      labels: { store, ...labels, le: bound === undefined ? '+Inf' : bound / 1e9 },
      value: count,
      metricName: `${name}_bucket`,
      ...(exemplar === undefined ? {} : { exemplar }),
    };
  });
  return [
    ...buckets,
    { labels: { store, ...labels }, value: value.sumSeconds, metricName: `${name}_sum` },
    { labels: { store, ...labels }, value: value.count, metricName: `${name}_count` },
  ];
}

function exemplarOf(exemplar: Exemplar | undefined): RegistryValue['exemplar'] {
  if (exemplar === undefined) return undefined;
  const { traceId, spanId, durationNs, atMs } = exemplar;
  const labelSet = { trace_id: traceId, span_id: spanId };
  return { labelSet, value: durationNs / 1e9, timestamp: atMs / 1000 };
}
