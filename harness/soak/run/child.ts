import { rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { loadAdapter } from '../../adapters/load-adapter.ts';
import { JsonlRows } from '../../jsonl-rows.ts';
import type { KeyedValues } from '../../keyed-values.ts';
import { Oracle } from '../../oracle.ts';
import type { OpenStoreUnderTest, StoreUnderTestStats } from '../../store-under-test.ts';
import { SyntheticValues } from '../../synthetic-values.ts';
import { RowWorkload, SyntheticWorkload, type Workload } from '../../workload.ts';
import { AcknowledgementFile } from './acknowledgements.ts';
import type { SoakConfiguration } from './configuration.ts';
import { takeHeapSnapshots } from './heap-diagnosis.ts';
import { Ledger } from './ledger.ts';
import type { FromStoreProcess, InsideSample, ToStoreProcess } from './messages.ts';
import { plantIn } from './plants.ts';
import { replay } from './replay.ts';
import { SoakRun } from './soak-run.ts';
import type { StoreTelemetry, TelemetryConfiguration } from './store-telemetry.ts';

/**
 * The store process: it does what the observer asks for, and nothing else, so that what is measured
 * of it from outside is the store (and the workload).
 */

interface Material {
  readonly values: KeyedValues;
  readonly ledger: Ledger;
  readonly workload: Workload;
  readonly rowCount?: number;
  readonly goalBytes?: number;
}

interface Prepared extends Material {
  readonly configuration: SoakConfiguration;
  readonly open: OpenStoreUnderTest;
  readonly telemetry: StoreTelemetry | undefined;
}

const DELAY_RESOLUTION_MS = 10;
const eventLoopDelay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
let prepared: Prepared | undefined;
/** Goes with the run: nobody will look into it once the observer is gone. */
let temporaryPath: string | undefined;
let run: SoakRun | undefined;
/** When the first process of the run began. */
let beganAtMs = 0;
/** What the store said last. It is still true while the store is being reopened. */
let lastStats: StoreUnderTestStats | undefined;
let continueRun: (isDone: boolean) => void = () => {};
/** There while the observer is counting descriptors. */
let counting: Promise<boolean> | undefined;

// A terminal signals the whole process group; only the observer may decide what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message: ToStoreProcess) => void receive(message));
process.on('disconnect', () => {
  // The observer is gone, and nobody waits for a report: close the store and leave.
  if (run === undefined || temporaryPath !== undefined) process.exit();
  run.stop();
  continueRun(true);
});

process.on('exit', () => {
  if (temporaryPath !== undefined && !process.connected)
    rmSync(temporaryPath, { recursive: true, force: true });
});

async function receive(message: ToStoreProcess): Promise<void> {
  switch (message.type) {
    case 'prepare':
      return refuseOnError(async () => {
        prepared = await prepare(message.configuration);
        const { ledger, rowCount, goalBytes } = prepared;
        await send({
          type: 'prepared',
          keyCount: ledger.oracle.keyCount,
          ...(rowCount === undefined ? {} : { rowCount }),
          ...(goalBytes === undefined ? {} : { goalBytes }),
        });
      });
    case 'run':
      temporaryPath = message.temporaryPath;
      return refuseOnError(() => runSoak(prepared as Prepared, message));
    case 'diagnose-heap':
      return refuseOnError(async () => {
        const { directory } = message;
        const snapshots = await takeHeapSnapshots({ ...(prepared as Prepared), directory });
        await send({ type: 'heap-snapshots', snapshots });
        process.exit();
      });
    case 'sample':
      return sendSample(run as SoakRun, prepared as Prepared);
    case 'continue':
      return continueRun(true);
    case 'recount':
      return continueRun(false);
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
  const open: OpenStoreUnderTest = (directory) =>
    adapter(directory, { probes: telemetry?.probes ?? [] });
  const { plant } = configuration;
  return {
    configuration,
    open: plant === undefined ? open : plantIn(plant, open),
    telemetry,
    ...(await materialOf(configuration)),
  };
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

async function materialOf(configuration: SoakConfiguration): Promise<Material> {
  const { seed, keyCount, input, goal, workload } = configuration;
  if (input === undefined) {
    const ledger = new Ledger(
      new SyntheticValues(seed, keyCount, workload.sizes),
      new Oracle(keyCount),
    );
    return {
      values: ledger.values,
      ledger,
      workload: new SyntheticWorkload(seed, ledger.oracle, workload),
      ...(goal.bytes === undefined ? {} : { goalBytes: goal.bytes }),
    };
  }
  const rows = await JsonlRows.load(input.path, input.keyField);
  const bytes = Math.min(
    goal.bytes ?? Number.POSITIVE_INFINITY,
    (goal.passes ?? Number.POSITIVE_INFINITY) * rows.passBytes,
  );
  return {
    values: rows,
    ledger: new Ledger(rows, new Oracle(rows.keyCount)),
    workload: new RowWorkload(seed, rows, goal.passes),
    rowCount: rows.rowCount,
    ...(Number.isFinite(bytes) ? { goalBytes: bytes } : {}),
  };
}

type RunMessage = Extract<ToStoreProcess, { type: 'run' }>;

async function runSoak(
  { configuration, telemetry, ...material }: Prepared,
  { directory, acknowledgementPath, resume }: RunMessage,
): Promise<void> {
  const { seconds } = configuration.goal;
  const goalSeconds =
    seconds === undefined ? undefined : Math.max(0, seconds - (resume?.elapsedS ?? 0));
  const undecided =
    resume === undefined ? undefined : replay(material, resume.settled, resume.last);
  const acknowledgements =
    acknowledgementPath === undefined ? undefined : new AcknowledgementFile(acknowledgementPath);
  run = new SoakRun({
    ...material,
    shape: configuration.workload,
    directory,
    ...(goalSeconds === undefined ? {} : { goalSeconds }),
    ...(undecided === undefined ? {} : { undecided }),
    ...(acknowledgements === undefined
      ? {}
      : { acknowledge: (acknowledged) => acknowledgements.write(acknowledged) }),
    checkpoint: (checkpoint) => {
      counting = askAndWait({ type: 'checkpoint', ...checkpoint }).finally(() => {
        counting = undefined;
      });
      return counting;
    },
    recovered: (adoptions) => send({ type: 'recovered', adoptions }),
    happened: (kind, durationMs) => {
      const { operations } = material.ledger.totals;
      void send({ type: 'event', event: { kind, durationMs, operations } });
    },
  });
  beganAtMs = performance.now() - (resume?.elapsedS ?? 0) * 1000;
  eventLoopDelay.enable();
  const outcome = await run.run();
  if (telemetry !== undefined) await send({ type: 'telemetry', report: await telemetry.finish() });
  const { totals } = material.ledger;
  const { canCompact, canSync } = run;
  await askAndWait({
    type: 'ended',
    outcome,
    totals,
    canCompact,
    canSync,
    durations: run.latency.takeDurations(),
  });
  // An adapter may have left timers or sockets behind.
  process.exit();
}

/**
 * Settles when the observer has said to go on, or is gone; false when it wants to be asked again.
 */
async function askAndWait(message: FromStoreProcess): Promise<boolean> {
  if (!process.connected) return true;
  const answered = new Promise<boolean>((resolve) => {
    continueRun = resolve;
  });
  await send(message);
  return answered;
}

async function sendSample(of: SoakRun, from: Prepared): Promise<void> {
  const inside = await sample(of, from);
  return send({ type: 'sampled', inside, durations: of.latency.takeDurations() });
}

async function sample(
  of: SoakRun,
  { configuration, ledger, telemetry, goalBytes = Number.POSITIVE_INFINITY }: Prepared,
): Promise<InsideSample> {
  lastStats = (await of.stats()) ?? lastStats;
  const stats = lastStats;
  // To tell the memory in use, Node opens a file in /proc for a moment. From the last look here on
  // nothing may wait: a count that began meanwhile would see that file.
  while (counting !== undefined) await counting;
  const { mean, max } = eventLoopDelay;
  const delay = {
    mean: delayMs(mean),
    p99: delayMs(eventLoopDelay.percentile(99)),
    max: delayMs(max),
  };
  const heapUsedBytes = getHeapStatistics().used_heap_size;
  const { seconds = Number.POSITIVE_INFINITY } = configuration.goal;
  const share = Math.max(
    ledger.totals.bytesWritten / goalBytes,
    (performance.now() - beganAtMs) / 1000 / seconds,
  );
  const collected = collectSometimes(share, configuration.chaos === undefined ? 1 : 2);
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  eventLoopDelay.reset();
  return {
    phase: of.phase,
    totals: ledger.totals,
    liveKeys: ledger.oracle.liveCount,
    liveBytes: ledger.liveBytes,
    workloadMs: of.clock.elapsedMs,
    ...(stats === undefined ? {} : { stats }),
    heapUsedBytes,
    ...(collected ? { heapUsedAfterGcBytes: heapUsed } : {}),
    externalBytes: external,
    arrayBuffersBytes: arrayBuffers,
    eventLoopDelayMs: delay,
    latency: of.latency.takeInterval(),
    ...(telemetry === undefined ? {} : { telemetryDrops: telemetry.drops }),
  };
}

/** The share of time that full collections may take. */
const COLLECTION_SHARE = 0.02;
/** A short run on a busy machine collects so often all the same: fewer points show no leak. */
const COLLECTIONS_PER_RUN = 32;
let nextCollectionMs = 0;
let nextCollectionShare = 0;

/**
 * True when the heap now holds only what is in use. Seldom enough not to disturb what is measured.
 * With kills, the longest life is judged alone, and must have points enough.
 */
function collectSometimes(share: number, oftener: number): boolean {
  const nowMs = performance.now();
  if (globalThis.gc === undefined || (nowMs < nextCollectionMs && share < nextCollectionShare))
    return false;
  // Processor time: on a busy machine the clock goes on while nothing is collected.
  const before = process.cpuUsage();
  globalThis.gc();
  const { user, system } = process.cpuUsage(before);
  nextCollectionMs = nowMs + (user + system) / 1000 / COLLECTION_SHARE;
  nextCollectionShare = share + 1 / (oftener * COLLECTIONS_PER_RUN);
  return true;
}

/**
 * The histogram holds the times between two ticks of a timer, the timer's own interval included;
 * NaN when empty.
 */
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
