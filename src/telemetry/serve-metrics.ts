import { checkInteger, checkOptions, printableText } from '../engine/index.ts';
import { sendCompressed, sendText, serveHttp } from './http-server.ts';
import type { MetricsRegistry, PrometheusProbe } from './metrics-registry.ts';

export interface ServeMetricsOptions {
  readonly registry: Pick<MetricsRegistry, 'metrics' | 'contentType'>;
  /** The stores that `/healthz` speaks for. */
  readonly probes?: readonly PrometheusProbe[];
  /** Default: loopback. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /**
   * Serve on an address that other machines reach, and under any name. The metrics then are for
   * anyone who does. Without it requests whose `Host` is not localhost, 127.0.0.1 or [::1] get 421.
   */
  readonly allowRemote?: boolean;
}

export interface MetricsServer {
  readonly url: string;
  readonly port: number;
  /** Ends every connection, and stops listening. May be called again. */
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, compressed where that is asked for, and `/healthz`: 200, or 503 with the
 * reasons when a store did not open or is poisoned. Rejects when the port is
 * in use, and throws for an address that is not loopback unless `allowRemote` says so. Whatever is
 * asked gets an answer: slow, half-open and too many connections are ended.
 */
export async function serveMetrics(options: ServeMetricsOptions): Promise<MetricsServer> {
  const {
    registry,
    probes = [],
    host,
    port,
    allowRemote,
  } = checkOptions(options, 'serveMetrics', ['registry', 'probes', 'host', 'port', 'allowRemote']);
  if (typeof registry?.metrics !== 'function')
    throw new TypeError('serveMetrics: registry must be a registry of prom-client');
  checkInteger('port', port, 0, 65_535);
  let scrape: Promise<string> | undefined;
  const server = await serveHttp({
    host,
    port,
    allowRemote,
    answer: async ({ path, takesGzip }, response) => {
      if (path === '/metrics') {
        // One for all who ask meanwhile, so that many requests are not many times the work.
        scrape ??= collect(registry).finally(() => {
          scrape = undefined;
        });
        const text = await scrape;
        if (takesGzip) await sendCompressed(response, text, registry.contentType);
        else sendText(response, 200, text, registry.contentType);
      } else if (path === '/healthz') {
        const troubles = probes.flatMap(({ trouble }) => trouble ?? []).map(printableText);
        if (troubles.length > 0) sendText(response, 503, `${troubles.join('\n')}\n`);
        else sendText(response, 200, 'ok\n');
      } else sendText(response, 404, 'there is /metrics and /healthz\n');
    },
  });
  return server;
}

async function collect(registry: ServeMetricsOptions['registry']): Promise<string> {
  try {
    return await registry.metrics();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the metrics could not be collected: ${why}`, { cause: error });
  }
}
