import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { NodeFileSystem, openStore, type Store } from '../../src/engine/index.ts';
import { otelProbe } from '../../src/telemetry/otel.ts';
import {
  type PrometheusProbe,
  prometheusProbe,
  serveMetrics,
} from '../../src/telemetry/prometheus.ts';

/**
 * The process that Prometheus watches during a check: it has stores, keeps them busy, and in the
 * second run breaks them. It ends when it is killed, as processes do.
 */

const SEGMENT_BYTES = 1024 * 1024;
const KEYS = 2000;
const STEP_MS = 50;
const SLOW_SYNC_MS = 400;
const GARBAGE_BYTES = 80 * 1024 * 1024;

const [runName, portText, directory] = process.argv.slice(2) as [string, string, string];
const registry = new Registry();
collectDefaultMetrics({ register: registry });
const tracerProvider = new BasicTracerProvider();
const probes: PrometheusProbe[] = [];
let steps = 0;

/** A disk whose every sync takes long. */
class SlowDisk extends NodeFileSystem {
  override dataSync(descriptor: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_SYNC_MS);
    super.dataSync(descriptor);
  }

  override async dataSyncAsync(descriptor: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SLOW_SYNC_MS));
    await super.dataSyncAsync(descriptor);
  }
}

/** A disk that fails every sync once it has been told to. */
class FailingDisk extends NodeFileSystem {
  broken = false;

  override dataSync(descriptor: number): void {
    this.check();
    super.dataSync(descriptor);
  }

  override async dataSyncAsync(descriptor: number): Promise<void> {
    this.check();
    await super.dataSyncAsync(descriptor);
  }

  private check(): void {
    if (this.broken) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  }
}

async function open(
  name: string,
  fileSystem = new NodeFileSystem(),
  budgetPerSecond?: number,
): Promise<{ store: Store; reopen(): Promise<Store> }> {
  const metrics = prometheusProbe({ registry });
  probes.push(metrics);
  const traces = otelProbe({
    mode: 'all',
    tracerProvider,
    ...(budgetPerSecond === undefined ? {} : { budgetPerSecond }),
  });
  const reopen = () =>
    openStore(join(directory, name), {
      name,
      fileSystem,
      segmentBytes: SEGMENT_BYTES,
      probe: [metrics, traces],
    });
  return { store: await reopen(), reopen };
}

function work(store: Store, puts: number, valueBytes: number): void {
  for (let index = 0; index < puts; index++) {
    store.put(`key-${(steps * 7 + index * 13) % KEYS}`, Buffer.alloc(valueBytes, steps));
  }
  for (let index = 0; index < puts * 3; index++) store.get(`key-${(index * 31) % (KEYS + 200)}`);
  store.delete(`key-${steps % KEYS}`);
  store.batch([
    { type: 'put', key: `batched-${steps % 20}`, value: 'value' },
    { type: 'del', key: `batched-${(steps + 10) % 20}` },
  ]);
}

/** What an operator has run now and then. */
async function maintain(store: Store, name: string): Promise<void> {
  await store.compact();
  await store.verify();
  const target = join(directory, `${name}.backup`);
  await store.backup(target);
  rmSync(target, { recursive: true, force: true });
}

/** Several stores that are well, one of which is reopened now and then. */
async function runWell(names: readonly string[]): Promise<void> {
  const opened = await Promise.all(names.map((name) => open(name)));
  const stores = opened.map(({ store }) => store);
  const isBusy = names.length > 1;
  await everyStep(async () => {
    for (const [index, store] of stores.entries()) {
      work(store, isBusy ? 30 + index * 20 : 5, 200 + index * 300);
      if (steps % 2 === index % 2) await Promise.all([store.sync(), store.sync(), store.sync()]);
      if (steps % 60 === 20 + index) await maintain(store, names[index] as string);
    }
    const last = opened.length - 1;
    if (isBusy && steps % 150 === 100) {
      await stores[last]?.close();
      stores[last] = (await opened[last]?.reopen()) as Store;
    }
  });
}

/** Each store has a fault of its own. */
async function runFaults(): Promise<void> {
  // What an earlier life has damaged does not open again.
  rmSync(join(directory, 'damaged'), { recursive: true, force: true });
  const failing = new FailingDisk();
  const { store: slow } = await open('slow', new SlowDisk());
  const { store: poisoned } = await open('poisoned', failing);
  const { store: damaged } = await open('damaged');
  const { store: littered } = await open('littered');
  const { store: traced } = await open('traced', new NodeFileSystem(), 20);
  const litter = Buffer.alloc(SEGMENT_BYTES / 4, 1);
  while (littered.stats().sealedBytes < GARBAGE_BYTES) littered.put(`key-${steps++ % 8}`, litter);
  await littered.sync();
  for (let index = 0; index < 50; index++)
    damaged.put(`key-${index}`, 'a value that will be damaged');
  await damaged.sync();
  damage(damaged);
  poisoned.put('key', 'value');
  failing.broken = true;
  await everyStep(async () => {
    attempt(() => damaged.get('key-7'));
    attempt(() => poisoned.put('key', `value ${steps}`));
    await poisoned.sync().catch(() => {});
    work(traced, 10, 100);
    if (steps % 20 === 0) await traced.sync();
    // Segments fill faster than their syncs end.
    slow.put(`key-${steps % 10}`, litter);
    if (steps % 10 === 0) await slow.sync();
  });
}

/** Flips a byte of a value on disk, under the store. */
function damage(store: Store): void {
  const ref = store.refOf('key-7');
  if (ref === undefined) throw new Error('key-7 is not there');
  const path = join(directory, 'damaged', `${String(ref.segmentId).padStart(8, '0')}.dwal`);
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.from('X'), 0, 1, ref.offset + ref.byteLength - 8);
  closeSync(descriptor);
}

function attempt(operation: () => unknown): void {
  try {
    operation();
  } catch {
    // The probe has heard of it, and that is what it is done for.
  }
}

async function everyStep(step: () => Promise<void>): Promise<never> {
  process.stdout.write('ready\n');
  for (;;) {
    steps++;
    await step();
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

mkdirSync(directory, { recursive: true });
await serveMetrics({ registry, probes, port: Number(portText) });
if (runName === 'faults') await runFaults();
else await runWell(runName.split(','));
