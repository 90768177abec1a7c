import { mkdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { UsageError } from '../command-line.ts';
import { type CountedCheckpoint, judgeGates } from './gates/gates.ts';
import type { SoakOptions } from './options/options.ts';
import type { Progress } from './progress.ts';
import { type LiveServer, serveLive } from './report/live-server.ts';
import { describeHost, describeVersions } from './result/host.ts';
import type { RunEvent } from './run/run-event.ts';
import type { Sample } from './sampling/sample.ts';

/**
 * Estimates look at every sample so far: a long run looks again only when there are so many more.
 */
const GROWTH_BETWEEN_LOOKS = 1.1;
const NO_CHECKPOINTS: readonly CountedCheckpoint[] = [];

/** The run in a browser while it goes (`--serve`). */
export class LiveView {
  private readonly server: LiveServer;
  private readonly options: SoakOptions;
  private readonly samples: Sample[] = [];
  private warmupEndsAtS: number | undefined;
  private nextLook = 1;

  private constructor(server: LiveServer, options: SoakOptions) {
    this.server = server;
    this.options = options;
  }

  /** Undefined when it was not asked for. Throws `UsageError` when the port cannot be had. */
  static async open(
    options: SoakOptions,
    startedAt: Date,
    progress: Progress,
  ): Promise<LiveView | undefined> {
    const { servePort, configuration, outDirectory, sampleIntervalMs } = options;
    if (servePort === undefined) return undefined;
    const metricsPort = configuration.telemetry?.metricsPort;
    try {
      mkdirSync(outDirectory, { recursive: true });
      const server = await serveLive({
        port: servePort,
        run: {
          command: options.command,
          seed: configuration.seed,
          profile: options.profile,
          configuration: { ...configuration, sampleIntervalMs },
          versions: describeVersions(),
          host: describeHost(outDirectory),
          startedAt: startedAt.toISOString(),
        },
        ...(metricsPort === undefined
          ? {}
          : { metricsUrl: `http://127.0.0.1:${metricsPort}/metrics` }),
      });
      progress.print(`soak: see ${server.url}`);
      return new LiveView(server, options);
    } catch (error) {
      throw new UsageError(`--serve: ${(error as Error).message}`);
    }
  }

  addSample(sample: Sample, isWarm: boolean): void {
    this.samples.push(sample);
    this.server.addSample(sample);
    if (!isWarm) return;
    this.warmupEndsAtS ??= sample.elapsedS;
    if (this.samples.length < this.nextLook) return;
    this.nextLook = Math.ceil(this.samples.length * GROWTH_BETWEEN_LOOKS);
    const { thresholds, maxRssBytes, configuration } = this.options;
    const { samples, warmupEndsAtS } = this;
    const measured = {
      samples,
      warmupEndsAtS,
      checkpoints: NO_CHECKPOINTS,
      peakRssBytes: undefined,
    };
    this.server.setGates(
      judgeGates(measured, { thresholds, maxRssBytes, seed: configuration.seed }),
    );
  }

  addEvent(event: RunEvent): void {
    this.server.addEvent(event);
  }

  finish(outDirectory: string): void {
    this.server.finish(outDirectory);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

/**
 * The page has `/metrics` beside it: of the store process, at a port that is free when nobody named
 * one.
 */
export async function withMetricsToServe(options: SoakOptions): Promise<SoakOptions> {
  const { servePort, configuration } = options;
  if (servePort === undefined || configuration.telemetry?.metricsPort !== undefined) return options;
  const metricsPort = await freePort();
  const telemetry = { traceRatio: 1, ...configuration.telemetry, metricsPort };
  return { ...options, configuration: { ...configuration, telemetry } };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
