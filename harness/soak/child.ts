import { monitorEventLoopDelay } from 'node:perf_hooks';
import { JsonlRows } from '../jsonl-rows.ts';
import type { KeyedValues } from '../keyed-values.ts';
import { Oracle } from '../oracle.ts';
import { loadAdapter, type OpenStoreUnderTest, type StoreUnderTestStats } from '../store-under-test.ts';
import { SyntheticValues } from '../synthetic-values.ts';
import { RowWorkload, SyntheticWorkload, type Workload } from '../workload.ts';
import type { SoakConfiguration } from './configuration.ts';
import type { FromStoreProcess, InsideSample, ToStoreProcess } from './messages.ts';
import { SoakRun } from './soak-run.ts';
import type { StoreTelemetry, TelemetryConfiguration } from './store-telemetry.ts';

/**
 * The store process: it does what the observer asks for, and nothing else, so that what is measured of it from outside
 * is the store (and the workload).
 */

interface Material {
  readonly values: KeyedValues;
  readonly oracle: Oracle;
  readonly workload: Workload;
  readonly rowCount?: number;
  readonly goalBytes?: number;
}

interface Prepared extends Material {
  readonly open: OpenStoreUnderTest;
  readonly goalSeconds: number | undefined;
  readonly telemetry: StoreTelemetry | undefined;
}

const DELAY_RESOLUTION_MS = 10;
const eventLoopDelay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
let prepared: Prepared | undefined;
let run: SoakRun | undefined;
/** Of a store that is being reopened, what it said last is still true. */
let lastStats: StoreUnderTestStats | undefined;
let continueRun = () => {};
/** Settled unless the observer is counting descriptors. */
let counted: Promise<void> = Promise.resolve();

// A terminal signals the whole process group; only the observer may decide what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message: ToStoreProcess) => void receive(message));
process.on('disconnect', () => {
  // The observer is gone, and nobody waits for a report: close the store and leave.
  if (run === undefined) process.exit();
  run.stop();
  continueRun();
});

async function receive(message: ToStoreProcess): Promise<void> {
  switch (message.type) {
    case 'prepare':
      return refuseOnError(async () => {
        prepared = await prepare(message.configuration);
        const { oracle, rowCount, goalBytes } = prepared;
        await send({
          type: 'prepared',
          keyCount: oracle.keyCount,
          ...(rowCount === undefined ? {} : { rowCount }),
          ...(goalBytes === undefined ? {} : { goalBytes }),
        });
      });
    case 'run':
      return refuseOnError(() => runSoak(prepared as Prepared, message.directory));
    case 'sample':
      return send({ type: 'sampled', inside: await sample(run as SoakRun, (prepared as Prepared).oracle) });
    case 'continue':
      return continueRun();
    case 'stop':
      return run?.stop();
  }
}

async function refuseOnError(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await send({ type: 'refused', reason: error instanceof Error ? error.message : String(error) });
    process.exit();
  }
}

async function prepare(configuration: SoakConfiguration): Promise<Prepared> {
  const adapter = await loadAdapter(configuration.adapter);
  const telemetry = await startTelemetry(configuration.telemetry);
  const open: OpenStoreUnderTest = (directory) => adapter(directory, { probes: telemetry?.probes ?? [] });
  return { open, telemetry, goalSeconds: configuration.goal.seconds, ...(await materialOf(configuration)) };
}

async function startTelemetry(
  configuration: TelemetryConfiguration | undefined,
): Promise<StoreTelemetry | undefined> {
  if (configuration === undefined) return undefined;
  // Loaded only when asked for: it must not weigh on the memory of a run without it.
  const { StoreTelemetry } = await import('./store-telemetry.ts');
  const telemetry = new StoreTelemetry(configuration);
  if (configuration.metricsPort !== undefined) await telemetry.serve(configuration.metricsPort);
  return telemetry;
}

async function materialOf({ seed, keyCount, input, goal }: SoakConfiguration): Promise<Material> {
  if (input === undefined) {
    const oracle = new Oracle(keyCount);
    const values = new SyntheticValues(seed, keyCount);
    const goalBytes = goal.bytes === undefined ? {} : { goalBytes: goal.bytes };
    return { values, oracle, workload: new SyntheticWorkload(seed, oracle), ...goalBytes };
  }
  const rows = await JsonlRows.load(input.path, input.keyField);
  const bytes = Math.min(
    goal.bytes ?? Number.POSITIVE_INFINITY,
    (goal.passes ?? Number.POSITIVE_INFINITY) * rows.passBytes,
  );
  return {
    values: rows,
    oracle: new Oracle(rows.keyCount),
    workload: new RowWorkload(seed, rows, goal.passes),
    rowCount: rows.rowCount,
    ...(Number.isFinite(bytes) ? { goalBytes: bytes } : {}),
  };
}

async function runSoak({ goalSeconds, telemetry, ...material }: Prepared, directory: string): Promise<void> {
  run = new SoakRun({
    ...material,
    directory,
    ...(goalSeconds === undefined ? {} : { goalSeconds }),
    checkpoint: (checkpoint) => {
      counted = askAndWait({ type: 'checkpoint', ...checkpoint });
      return counted;
    },
  });
  eventLoopDelay.enable();
  const outcome = await run.run();
  if (telemetry !== undefined) await send({ type: 'telemetry', report: await telemetry.finish() });
  await askAndWait({ type: 'ended', outcome, totals: run.totals });
  // An adapter may have left timers or sockets behind.
  process.exit();
}

/** Settles when the observer has said to go on, or is gone. */
async function askAndWait(message: FromStoreProcess): Promise<void> {
  if (!process.connected) return;
  const answered = new Promise<void>((resolve) => {
    continueRun = resolve;
  });
  await send(message);
  await answered;
}

async function sample(of: SoakRun, oracle: Oracle): Promise<InsideSample> {
  lastStats = (await of.stats()) ?? lastStats;
  const stats = lastStats;
  // To tell the memory in use, Node opens a file in /proc for a moment.
  await counted;
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { mean, max } = eventLoopDelay;
  const delay = { mean: delayMs(mean), p99: delayMs(eventLoopDelay.percentile(99)), max: delayMs(max) };
  eventLoopDelay.reset();
  return {
    phase: of.phase,
    totals: of.totals,
    liveKeys: oracle.liveCount,
    ...(stats === undefined ? {} : { stats }),
    heapUsedBytes: heapUsed,
    externalBytes: external,
    arrayBuffersBytes: arrayBuffers,
    eventLoopDelayMs: delay,
  };
}

/** The histogram holds the times between two ticks of a timer, the timer's own interval included; NaN when empty. */
function delayMs(intervalNs: number): number {
  return Math.max(0, intervalNs / 1e6 - DELAY_RESOLUTION_MS) || 0;
}

/** Settles when the message is on its way, or can no longer be. */
function send(message: FromStoreProcess): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}
