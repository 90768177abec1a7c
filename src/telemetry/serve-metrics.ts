import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetricsRegistry, PrometheusProbe } from './metrics-registry.ts';

export interface ServeMetricsOptions {
  readonly registry: Pick<MetricsRegistry, 'metrics' | 'contentType'>;
  /** The stores that `/healthz` speaks for. */
  readonly probes?: readonly PrometheusProbe[];
  /** Default: loopback. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Serve on an address that other machines reach. The metrics then are for anyone who does. */
  readonly allowRemote?: boolean;
}

export interface MetricsServer {
  readonly url: string;
  readonly port: number;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Serves `/metrics`, and `/healthz`: 200, or 503 once a store is poisoned. Rejects when the port is
 * in use, and throws for an address that is not loopback unless `allowRemote` says so.
 */
export async function serveMetrics(options: ServeMetricsOptions): Promise<MetricsServer> {
  const { registry, probes = [], host = '127.0.0.1', port, allowRemote = false } = options;
  if (!LOOPBACK.has(host) && !allowRemote) {
    throw new RangeError(
      `${host} is not a loopback address; give allowRemote: true to serve metrics to other machines`,
    );
  }
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const text = 'text/plain; charset=utf-8';
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, text, 'only GET\n');
    else if (path === '/metrics') {
      try {
        answer(200, registry.contentType, await registry.metrics());
      } catch (error) {
        answer(
          500,
          text,
          `the metrics could not be collected: ${error instanceof Error ? error.message : error}\n`,
        );
      }
    } else if (path === '/healthz') {
      const poisoned = probes.some((probe) => probe.poisonedNow === true);
      answer(
        poisoned ? 503 : 200,
        text,
        poisoned ? 'poisoned: writing stopped after a failure\n' : 'ok\n',
      );
    } else answer(404, text, 'there is /metrics and /healthz\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} on ${host} is in use`, { cause: error })
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
  // Serving metrics is no reason for a process to stay.
  server.unref();
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close((error) => (error === undefined ? resolve() : reject(error)));
      }),
  };
}
