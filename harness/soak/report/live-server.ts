import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Gate } from '../gates/gate.ts';
import type { RunEvent } from '../run/run-event.ts';
import type { Sample } from '../sampling/sample.ts';
import { LiveRun } from './live-run.ts';
import { pageDocument } from './page.ts';
import { readRun } from './report.ts';
import type { RunIdentity } from './sections/about.ts';

const LEAST_UPDATE_INTERVAL_MS = 250;
/** A browser that does not read must not fill this process, which watches another one's memory. */
const MOST_UNSENT_BYTES = 16 * 1024 * 1024;
/** How long the end of a soak waits for what is on its way to browsers. */
const LAST_WORDS_MS = 2_000;
const METRICS_TIMEOUT_MS = 5_000;

export interface LiveServerOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  /** Default: loopback. The page is for anyone who reaches the address. */
  readonly host?: string;
  readonly run: RunIdentity;
  /**
   * The address of the store process's metrics, `http://127.0.0.1:9464/metrics`. They are shown
   * under `/metrics` here, too.
   */
  readonly metricsUrl?: string;
}

/**
 * The report of a soak while it runs: `/` is the page, which keeps itself up to date through
 * server-sent events from `/updates`; `/metrics` is the store process's own. Rejects when the port
 * cannot be had.
 */
export async function serveLive(options: LiveServerOptions): Promise<LiveServer> {
  const { port, host = '127.0.0.1' } = options;
  const live = new LiveServer(options);
  await live.listen(port, host);
  return live;
}

export class LiveServer {
  private readonly run: LiveRun;
  private readonly metricsUrl: string | undefined;
  private readonly server: Server;
  private readonly browsers = new Set<ServerResponse>();
  private address = '';
  private updatedAtMs = 0;

  /** Use `serveLive`. */
  constructor({ run, metricsUrl }: LiveServerOptions) {
    this.run = new LiveRun(run, metricsUrl !== undefined);
    this.metricsUrl = metricsUrl;
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  get url(): string {
    return this.address;
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, resolve);
    });
    const address = this.server.address() as AddressInfo;
    this.address = `http://${host.includes(':') ? `[${host}]` : host}:${address.port}/`;
    // Showing the soak is no reason for it to stay.
    this.server.unref();
  }

  addSample(sample: Sample): void {
    this.run.addSample(sample);
    if (performance.now() - this.updatedAtMs >= LEAST_UPDATE_INTERVAL_MS) this.update();
  }

  addEvent(event: RunEvent): void {
    this.run.addEvent(event);
  }

  /** Takes the gates as they stand so far. */
  setGates(gates: readonly Gate[]): void {
    this.run.setGates(gates);
  }

  /**
   * Shows what `outDirectory` now holds, which has `summary.json` and `samples.csv`. Throws as
   * `writeReport` does.
   */
  finish(outDirectory: string): void {
    this.run.finish(readRun(outDirectory));
    this.update();
  }

  /** Open pages keep what they show. */
  async close(): Promise<void> {
    for (const browser of this.browsers) browser.end();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const impatience = setTimeout(() => this.server.closeAllConnections(), LAST_WORDS_MS);
    this.server.closeIdleConnections();
    await closed;
    clearTimeout(impatience);
  }

  private update(): void {
    this.updatedAtMs = performance.now();
    if (this.browsers.size === 0) {
      this.run.skipUpdate();
      return;
    }
    const message = eventOf(this.run.nextUpdate());
    for (const browser of this.browsers) {
      if (browser.writableLength > MOST_UNSENT_BYTES) browser.destroy();
      else browser.write(message);
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, 'text/plain', 'only GET\n');
    if (pathname === '/') return send(response, 200, 'text/html', pageDocument(this.run.page()));
    if (pathname === this.run.updatesPath) return this.connect(response);
    if (pathname === '/metrics') return this.answerMetrics(response);
    send(response, 404, 'text/plain', 'there is / and /metrics\n');
  }

  private connect(response: ServerResponse): void {
    // What the others have not heard yet is in the full update: it must not come to this one twice.
    this.update();
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(eventOf(this.run.fullUpdate()));
    this.browsers.add(response);
    response.on('close', () => this.browsers.delete(response));
  }

  private async answerMetrics(response: ServerResponse): Promise<void> {
    if (this.metricsUrl === undefined) {
      return send(response, 404, 'text/plain', 'the soak was started without --metrics-port\n');
    }
    try {
      const metrics = await fetch(this.metricsUrl, {
        signal: AbortSignal.timeout(METRICS_TIMEOUT_MS),
      });
      const type = metrics.headers.get('content-type') ?? 'text/plain';
      send(response, metrics.status, type, await metrics.text());
    } catch (error) {
      send(
        response,
        502,
        'text/plain',
        `the store process does not answer: ${(error as Error).message}\n`,
      );
    }
  }
}

function eventOf(update: unknown): string {
  return `data: ${JSON.stringify(update)}\n\n`;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type.includes('charset') ? type : `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
