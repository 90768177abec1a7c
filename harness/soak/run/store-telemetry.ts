import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Probe } from '../../../src/engine/index.ts';
import { otelProbe, type SpanCounting, type SpanCounts } from '../../../src/telemetry/otel.ts';
import {
  type MetricsServer,
  prometheusProbe,
  serveMetrics,
} from '../../../src/telemetry/prometheus.ts';

/** What the command line asks for. */
export interface TelemetryConfiguration {
  /** Serve `/metrics` there, on loopback. */
  readonly metricsPort?: number;
  /** Export spans over OTLP/HTTP to this URL. */
  readonly otlpUrl?: string;
  /** The share of operations that are traced, from 0 to 1. */
  readonly traceRatio: number;
}

export interface TelemetryReport {
  /** The last scrape before the store was closed, in the text format. */
  readonly metricsText: string;
  readonly preads: number;
  /** The spans; there with `--otlp`. */
  readonly spans?: {
    readonly counts: SpanCounts;
    readonly exported: number;
    /**
     * Emitted, and lost on the way: the queue was full, or the receiver refused or did not answer.
     */
    readonly dropped: number;
    /** preads = spans emitted + suppressed, to the last one. */
    readonly addsUp: boolean;
  };
}

/** How long the end of a run waits for a receiver that does not answer. */
const FLUSH_TIMEOUT_MS = 5_000;

/** The telemetry of the store process, across all openings of the store. */
export class StoreTelemetry {
  readonly probes: readonly Probe[];
  private readonly registry = new Registry();
  private readonly tally = new PreadTally();
  private readonly exporter: CountingExporter | undefined;
  private readonly provider: BasicTracerProvider | undefined;
  private readonly otel: SpanCounting | undefined;
  private server: MetricsServer | undefined;
  private lastScrape: Promise<string> = Promise.resolve('');

  constructor({ otlpUrl, traceRatio }: TelemetryConfiguration) {
    const metrics = prometheusProbe({ registry: this.registry });
    const detach = metrics.detach?.bind(metrics);
    metrics.detach = () => {
      // The families leave the registry with the store: take them while they are there.
      this.lastScrape = this.registry.metrics();
      detach?.();
    };
    if (otlpUrl !== undefined) {
      this.exporter = new CountingExporter(
        new OTLPTraceExporter({ url: otlpUrl, timeoutMillis: FLUSH_TIMEOUT_MS }),
      );
      this.provider = new BasicTracerProvider({
        resource: resourceFromAttributes({ 'service.name': 'tidemark-soak' }),
        spanProcessors: [
          new BatchSpanProcessor(this.exporter, { exportTimeoutMillis: FLUSH_TIMEOUT_MS }),
        ],
      });
      const tracerProvider = this.provider;
      this.otel =
        traceRatio < 1
          ? otelProbe({ mode: 'ratio', ratio: traceRatio, tracerProvider })
          : otelProbe({ mode: 'all', tracerProvider });
    }
    this.probes = [metrics, this.tally, ...(this.otel === undefined ? [] : [this.otel])];
  }

  /** Spans that were handed over, and not taken. */
  get drops(): number {
    return this.exporter?.failed ?? 0;
  }

  /**
   * Serves the metrics of the process beside those of the store. Throws when the port is in use.
   */
  async serve(port: number): Promise<void> {
    const process = new Registry();
    collectDefaultMetrics({ register: process });
    const { contentType } = this.registry;
    const metrics = async () => `${await this.registry.metrics()}\n${await process.metrics()}`;
    this.server = await serveMetrics({ registry: { contentType, metrics }, port });
  }

  /** Called after the store was closed. Never waits long for a receiver. */
  async finish(): Promise<TelemetryReport> {
    await this.server?.close();
    const metricsText = await this.lastScrape;
    const { preads } = this.tally;
    if (this.otel === undefined || this.exporter === undefined) return { metricsText, preads };
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS).unref());
    await Promise.race([this.provider?.shutdown().catch(() => {}), timeout]);
    const counts = this.otel.spanCounts;
    const emitted = Object.values(counts).reduce((sum, kind) => sum + kind.emitted, 0);
    const { pread } = counts;
    const { exported } = this.exporter;
    return {
      metricsText,
      preads,
      spans: {
        counts,
        exported,
        dropped: emitted - exported,
        addsUp: pread.emitted + pread.unsampled + pread.budget === preads,
      },
    };
  }
}

/** Counts preads beside the adapters, so that what they claim can be checked. */
class PreadTally implements Probe {
  preads = 0;

  read(): void {
    this.preads++;
  }
}

class CountingExporter implements SpanExporter {
  exported = 0;
  failed = 0;
  private readonly inner: SpanExporter;

  constructor(inner: SpanExporter) {
    this.inner = inner;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.inner.export(spans, (result) => {
      if (result.code === 0) this.exported += spans.length;
      else this.failed += spans.length;
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.inner.shutdown();
  }
}
