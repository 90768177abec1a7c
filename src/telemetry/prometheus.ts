import { checkOptions } from '../engine/index.ts';
import { BOUNDS_NS, DurationHistogram } from './duration-histogram.ts';
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
  readonly name: string;
  readonly help: string;
  readonly type: string;
  get(): Promise<{
    name: string;
    help: string;
    type: string;
    values: RegistryValue[];
    aggregator: string;
  }>;
}

interface RegistryValue {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

/** The stores whose metrics stand in a registry. */
const attached = new WeakMap<MetricsRegistry, Set<StoreMetrics>>();

/**
 * A probe for one store that counts in typed arrays, and fills the caller's registry when it is
 * scraped. The label `store` is the store's name: two stores in one registry need two names.
 * Attaching throws when the registry holds one of the names already, from something else; the
 * families leave the registry with the last store.
 */
export function prometheusProbe(options: PrometheusProbeOptions): PrometheusProbe {
  const { registry } = checkOptions(options, 'prometheusProbe', ['registry']);
  if (typeof registry?.registerMetric !== 'function')
    throw new TypeError('prometheusProbe: registry must be a registry of prom-client');
  const metrics = new StoreMetrics();
  const attach = metrics.attach.bind(metrics);
  const detach = metrics.detach.bind(metrics);
  return Object.assign(metrics, {
    attach: (source: Parameters<typeof attach>[0]) => {
      if (metrics.storeName !== undefined) {
        throw new Error(
          `this prometheusProbe is in use by the store ${metrics.storeName}; make one for each store`,
        );
      }
      join(registry, metrics, source.name);
      attach(source);
    },
    detach: () => {
      leave(registry, metrics);
      detach();
    },
  });
}

function join(registry: MetricsRegistry, metrics: StoreMetrics, name: string): void {
  let stores = attached.get(registry);
  if (stores === undefined) {
    stores = new Set();
    const members = stores;
    const taken = METRICS.find(({ name }) => registry.getSingleMetric(name) !== undefined);
    if (taken !== undefined) {
      throw new Error(
        `the registry already holds a metric ${taken.name} that is not tidemark's; use another registry`,
      );
    }
    for (const metric of METRICS) registry.registerMetric(registryMetric(metric, members));
    attached.set(registry, stores);
  }
  if ([...stores].some((other) => other.storeName === name)) {
    throw new Error(`the registry already has a store named ${name}; give this one another name`);
  }
  stores.add(metrics);
}

function leave(registry: MetricsRegistry, metrics: StoreMetrics): void {
  const stores = attached.get(registry);
  if (stores === undefined || !stores.delete(metrics) || stores.size > 0) return;
  for (const { name } of METRICS) registry.removeSingleMetric(name);
  attached.delete(registry);
}

function registryMetric(
  { name, help, kind, samplesOf }: Metric,
  stores: ReadonlySet<StoreMetrics>,
): RegistryMetric {
  return {
    name,
    help,
    type: kind,
    get: async () => ({
      name,
      help,
      type: kind,
      aggregator: 'sum',
      values: [...stores].flatMap((metrics) =>
        samplesOf(metrics).flatMap((sample) =>
          registryValues(name, metrics.storeName ?? '', sample),
        ),
      ),
    }),
  };
}

function registryValues(name: string, store: string, { labels, value }: Sample): RegistryValue[] {
  if (!(value instanceof DurationHistogram)) return [{ labels: { store, ...labels }, value }];
  const buckets = value.cumulative().map((count, index) => ({
    labels: { store, ...labels, le: (BOUNDS_NS[index] as number) / 1e9 },
    value: count,
    metricName: `${name}_bucket`,
  }));
  return [
    ...buckets,
    { labels: { store, ...labels, le: '+Inf' }, value: value.count, metricName: `${name}_bucket` },
    { labels: { store, ...labels }, value: value.sumSeconds, metricName: `${name}_sum` },
    { labels: { store, ...labels }, value: value.count, metricName: `${name}_count` },
  ];
}
