import type { ServerResponse } from 'node:http';
import {
  type HttpServer,
  type ServedRequest,
  sendText,
  serveHttp,
} from '../../../src/telemetry/prometheus.ts';
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
  readonly run: RunIdentity;
  /**
   * The address of the store process's metrics, `http://127.0.0.1:9464/metrics`. They are shown
   * under `/metrics` here, too.
   */
  readonly metricsUrl?: string;
}

/**
 * The report of a soak while it runs, on loopback: `/` is the page, which keeps itself up to date
 * through server-sent events from `/updates`; `/metrics` is the store process's own. Rejects when
 * the port cannot be had.
 */
export async function serveLive(options: LiveServerOptions): Promise<LiveServer> {
  const live = new LiveServer(options);
  await live.listen(options.port);
  return live;
}

export class LiveServer {
  private readonly run: LiveRun;
  private readonly metricsUrl: string | undefined;
  private server: HttpServer | undefined;
  private readonly browsers = new Set<ServerResponse>();
  private updatedAtMs = 0;

  /** Use `serveLive`. */
  constructor({ run, metricsUrl }: LiveServerOptions) {
    this.run = new LiveRun(run, metricsUrl !== undefined);
    this.metricsUrl = metricsUrl;
  }

  get url(): string {
    return `${this.server?.url}/`;
  }

  async listen(port: number): Promise<void> {
    this.server = await serveHttp({
      port,
      answer: (request, response) => this.answer(request, response),
    });
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
    await this.server?.close(LAST_WORDS_MS);
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

  private async answer({ path, isHead }: ServedRequest, response: ServerResponse): Promise<void> {
    if (path === '/') sendText(response, 200, pageDocument(this.run.page()), 'text/html');
    else if (path === this.run.updatesPath) this.connect(response, isHead);
    else if (path === '/metrics') await this.answerMetrics(response);
    else sendText(response, 404, 'there is / and /metrics\n');
  }

  private connect(response: ServerResponse, isHead: boolean): void {
    response.shouldKeepAlive = false;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    if (isHead) {
      response.end();
      return;
    }
    // Between two samples there is nothing to say, for as long as the soak likes.
    response.socket?.setTimeout(0);
    // What the others have not heard yet is in the full update: it must not come to this one twice.
    this.update();
    response.write(eventOf(this.run.fullUpdate()));
    this.browsers.add(response);
    response.on('close', () => this.browsers.delete(response));
  }

  private async answerMetrics(response: ServerResponse): Promise<void> {
    if (this.metricsUrl === undefined) {
      sendText(response, 404, 'the soak was started without --metrics-port\n');
      return;
    }
    try {
      const metrics = await fetch(this.metricsUrl, {
        signal: AbortSignal.timeout(METRICS_TIMEOUT_MS),
      });
      const type = metrics.headers.get('content-type') ?? 'text/plain';
      sendText(response, metrics.status, await metrics.text(), type);
    } catch (error) {
      const why = (error as Error).message;
      sendText(response, 502, `the store process does not answer: ${why}\n`);
    }
  }
}

function eventOf(update: unknown): string {
  return `data: ${JSON.stringify(update)}\n\n`;
}
