import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import * as promClient from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { NOT_TIMED } from '../../src/engine/host/probe.ts';
import { openLog, openReader, openStore, type Probe } from '../../src/engine/index.ts';
import { DurationHistogram } from '../../src/telemetry/duration-histogram.ts';
import { otelProbe } from '../../src/telemetry/otel.ts';
import {
  METRIC_FAMILIES,
  type MetricsRegistry,
  prometheusProbe,
  serveMetrics,
} from '../../src/telemetry/prometheus.ts';
import { StoreMetrics } from '../../src/telemetry/store-metrics.ts';
import { VERSION } from '../../src/telemetry/version.ts';

/** Promised to run on newer Node only, and therefore installed by `npm run newer-node` alone. */
const SUCCESSOR = 'tools/newer-node/node_modules/@prometheus-io/client';

const LIBRARIES: [string, () => MetricsRegistry][] = [
  ['prom-client', () => new promClient.Registry()],
];
if (existsSync(SUCCESSOR)) LIBRARIES.push(['its successor', successorRegistry]);
else console.warn('skipped: the successor of prom-client is not here (npm run newer-node)');

function successorRegistry(): MetricsRegistry {
  const { Registry } = createRequire(import.meta.url)(resolve(SUCCESSOR));
  return new Registry() as MetricsRegistry;
}

/** The value of the sample whose line begins so; undefined when there is no such line. */
function sample(text: string, start: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${start} `));
  return line === undefined ? undefined : Number(line.slice(start.length + 1));
}

function open(registry: MetricsRegistry, name: string, fileSystem = new MemoryFileSystem()) {
  return openStore(`/${name}`, {
    fileSystem,
    segmentBytes: 400,
    probe: prometheusProbe({ registry }),
  });
}

describe.each(LIBRARIES)('prometheus probe with %s', (_library, newRegistry) => {
  test('what the store did is what a scrape shows', async () => {
    const registry = newRegistry();
    const fileSystem = new MemoryFileSystem();
    const store = await open(registry, 'a', fileSystem);
    for (let index = 0; index < 20; index++) store.put(`key-${index}`, 'value');
    store.delete('key-0');
    store.batch([
      { type: 'put', key: 'batched', value: 'value' },
      { type: 'del', key: 'key-1' },
    ]);
    await Promise.all([store.sync(), store.sync()]);
    for (let index = 0; index < 40; index++) store.get(`key-${index % 30}`);
    const ref = store.refOf('key-5');
    fileSystem.mutate(segmentPath('/a', ref?.segmentId as number), (bytes) => {
      bytes[ref?.offset as number] = 0;
      return undefined;
    });
    expect(() => store.get('key-5')).toThrow(/CRC_MISMATCH/);
    const text = await registry.metrics();
    const of = (family: string, labels = '') =>
      sample(text, `tidemark_${family}{store="a"${labels}}`);
    expect(of('puts_total')).toBe(21);
    expect(of('deletes_total')).toBe(2);
    expect(
      (of('gets_total', ',result="hit"') ?? 0) + (of('gets_total', ',result="miss"') ?? 0),
    ).toBe(40);
    expect(of('preads_total', ',site="get"')).toBe((of('gets_total', ',result="hit"') ?? 0) + 1);
    expect(of('crc_validations_total', ',outcome="mismatch"')).toBe(1);
    expect(of('operation_errors_total', ',operation="get",code="CRC_MISMATCH"')).toBe(1);
    expect(of('corruptions_total', ',kind="CRC_MISMATCH"')).toBe(1);
    expect(of('sync_waiters_total')).toBeGreaterThanOrEqual(2);
    expect(of('keys')).toBe(store.size);
    expect(of('open_fds')).toBe(store.stats().openDescriptors);
    expect(of('poisoned')).toBe(0);
    expect(of('kernel_lock')).toBe(1);
    expect(of('segment_bytes', ',kind="live"')).toBe(store.stats().liveBytes);
    // The first of every 17 is timed, and stands for those before it.
    expect(of('get_duration_seconds_count')).toBe(35);
    expect(of('rotations_total')).toBe(store.stats().segments - 1);
    expect(of('recoveries_total', ',outcome="created"')).toBe(1);
    await store.close();
    expect(await registry.metrics()).not.toContain('tidemark_');
  });

  test('what can be foreseen of a label is there at 0 before it happens, so that a rate sees the first', async () => {
    const registry = newRegistry();
    const store = await open(registry, 'a');
    const text = await registry.metrics();
    for (const labels of [
      'operation_errors_total{store="a",operation="put",code="WRITE_FAILED"',
      'operation_errors_total{store="a",operation="put",code="WRITER_POISONED"',
      'operation_errors_total{store="a",operation="sync",code="SYNC_FAILED"',
      'operation_errors_total{store="a",operation="get",code="CRC_MISMATCH"',
      'corruptions_total{store="a",kind="CRC_MISMATCH"',
      'corruptions_total{store="a",kind="STORE_CORRUPT"',
      'seals_total{store="a",outcome="failed"',
      'compactions_total{store="a",outcome="failed"',
      'verifications_total{store="a",outcome="damaged"',
      'backups_total{store="a",outcome="failed"',
      'write_stalls_total{store="a",reason="rotation"',
      'recoveries_total{store="a",outcome="recovered"',
    ])
      expect([labels, sample(text, `tidemark_${labels}}`)]).toEqual([labels, 0]);
    await store.close();
  });

  test('what a poisoned writer refuses is counted, each operation once', async () => {
    const registry = newRegistry();
    const fileSystem = new MemoryFileSystem();
    const store = await open(registry, 'a', fileSystem);
    fileSystem.write = () => {
      throw Object.assign(new Error('disk is gone'), { code: 'EIO' });
    };
    expect(() => store.put('key', 'value')).toThrow(/WRITE_FAILED/);
    for (let again = 0; again < 3; again++)
      expect(() => store.put('key', 'value')).toThrow(/POISONED/);
    expect(() => store.delete('key')).toThrow(/POISONED/);
    expect(() => store.batch([{ type: 'put', key: 'key', value: 'value' }])).toThrow(/POISONED/);
    await expect(store.sync()).rejects.toThrow(/POISONED/);
    await expect(store.compact()).rejects.toThrow(/POISONED/);
    expect(() => store.rotate()).toThrow(/POISONED/);
    const text = await registry.metrics();
    const errors = (operation: string, code: string) =>
      sample(
        text,
        `tidemark_operation_errors_total{store="a",operation="${operation}",code="${code}"}`,
      );
    expect(errors('put', 'WRITE_FAILED')).toBe(1);
    expect(errors('put', 'WRITER_POISONED')).toBe(3);
    for (const operation of ['delete', 'batch', 'sync', 'compact', 'rotate'])
      expect(errors(operation, 'WRITER_POISONED')).toBe(1);
    expect(sample(text, 'tidemark_puts_total{store="a"}')).toBe(0);
    await store.close();
  });

  test('every family of the table is exported, with its help and type, and no other', async () => {
    const registry = newRegistry();
    const store = await open(registry, 'a');
    const text = await registry.metrics();
    const exported = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    expect(exported.sort()).toEqual(
      METRIC_FAMILIES.map(({ name, kind }) => `${name} ${kind}`).sort(),
    );
    await store.close();
  });

  test('two stores share a registry under two names, and each takes only its own with it', async () => {
    const registry = newRegistry();
    const [a, b] = [await open(registry, 'a'), await open(registry, 'b')];
    a.put('key', 'value');
    const text = await registry.metrics();
    expect(sample(text, 'tidemark_puts_total{store="a"}')).toBe(1);
    expect(sample(text, 'tidemark_puts_total{store="b"}')).toBe(0);
    await expect(open(registry, 'a')).rejects.toThrow(/already has a store named a/);
    await a.close();
    expect(sample(await registry.metrics(), 'tidemark_puts_total{store="b"}')).toBe(0);
    await b.close();
  });

  const failing: readonly [
    string,
    (path: string, options: { probe: Probe }) => Promise<unknown>,
  ][] = [
    ['the reader finds no store', (path, options) => openReader(path, options)],
    ['the path is a file', (path, options) => openLog(join(path, 'file'), options)],
    ['the store is locked', (path, options) => openStore(join(path, 'locked'), options)],
  ];

  test.each(failing)(
    'after an opening that failed the store stays in the registry until it opens, or is given up: %s',
    async (_why, opening) => {
      const registry = newRegistry();
      const fileSystem = new MemoryFileSystem();
      fileSystem.makeDirectory('/place');
      fileSystem.close(fileSystem.open('/place/file', 'create'));
      const holder = await openStore('/place/locked', { fileSystem });
      const probe = prometheusProbe({ registry });
      const options = { name: 'a', fileSystem, probe };
      await expect(opening('/place', options)).rejects.toThrow();
      const failed = await registry.metrics();
      expect(sample(failed, 'tidemark_state{store="a",state="failed"}')).toBe(1);
      expect(sample(failed, 'tidemark_recoveries_total{store="a",outcome="failed"}')).toBe(1);
      expect(failed).toMatch(/tidemark_info\{store="a",directory="\/place/);
      expect(failed).not.toContain('tidemark_keys{');
      expect(probe.trouble).toMatch(/^a did not open: [A-Z_]+: /);
      // Nothing else stayed behind: the place can be opened with the same probe, or with another.
      await holder.close();
      const store = await openStore('/place/locked', options);
      expect(probe.trouble).toBeUndefined();
      const text = await registry.metrics();
      expect(sample(text, 'tidemark_state{store="a",state="failed"}')).toBe(0);
      expect(sample(text, 'tidemark_state{store="a",state="open"}')).toBe(1);
      await store.close();
      expect(await registry.metrics()).not.toContain('tidemark_');
      await expect(openReader('/nowhere', options)).rejects.toThrow();
      const other = await openStore('/other', {
        ...options,
        probe: prometheusProbe({ registry }),
      });
      expect(await registry.metrics()).not.toContain('state="failed"} 1');
      await other.close();
      probe.giveUp();
      expect(await registry.metrics()).not.toContain('tidemark_');
    },
  );

  test('an opening that was asked for wrongly leaves nothing', async () => {
    const registry = newRegistry();
    const probe = prometheusProbe({ registry });
    const options = { fileSystem: new MemoryFileSystem(), probe };
    await expect(
      openStore('/a', { ...options, compaction: { auto: { deadRatio: 2 } } }),
    ).rejects.toThrow(RangeError);
    expect(await registry.metrics()).not.toContain('tidemark_');
  });

  test('a store that has done everything has at most 120 series', async () => {
    const registry = newRegistry();
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/a', {
      fileSystem,
      segmentBytes: 400,
      probe: [prometheusProbe({ registry }), otelProbe({ mode: 'all' })],
    });
    for (let index = 0; index < 60; index++) await store.putDurable(`key-${index % 7}`, 'value');
    store.delete('key-0');
    for (const key of store.keys()) store.get(key);
    await store.sealsWritten();
    await store.compact();
    await store.verify();
    await store.backup('/backup');
    await store.compactTo('/compacted');
    for (const _ of store.scan());
    fileSystem.write = () => {
      throw Object.assign(new Error('disk is gone'), { code: 'EIO' });
    };
    for (const call of [
      () => store.put('key', 'value'),
      () => store.put('key', 'value'),
      () => store.delete('key'),
      () => store.batch([{ type: 'put', key: 'key', value: 'value' }]),
      () => store.rotate(),
    ])
      expect(call).toThrow();
    await expect(store.sync()).rejects.toThrow();
    await expect(store.compact()).rejects.toThrow();
    const series = (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('tidemark_'));
    expect(series.length).toBeLessThanOrEqual(120);
    expect(series.length).toBeGreaterThan(90);
    await store.close().catch(() => {});
  });

  test('a registry that was cleared takes stores again, and loses nothing that is not tidemark’s', async () => {
    const registry = newRegistry();
    const first = await open(registry, 'a');
    (registry as promClient.Registry).clear();
    expect(await registry.metrics()).not.toContain('tidemark_');
    const second = await open(registry, 'b');
    expect(sample(await registry.metrics(), 'tidemark_keys{store="a"}')).toBe(0);
    expect(sample(await registry.metrics(), 'tidemark_keys{store="b"}')).toBe(0);
    (registry as promClient.Registry).clear();
    const mine = { name: 'tidemark_keys', help: 'mine', type: 'gauge' };
    registry.registerMetric({ ...mine, get: async () => ({ ...mine, values: [] }) });
    await first.close();
    await second.close();
    expect(registry.getSingleMetric('tidemark_keys')).toMatchObject(mine);
  });

  test('resetMetrics begins counters and histograms at 0 again, and leaves state alone', async () => {
    const registry = newRegistry();
    const store = await open(registry, 'a');
    for (let index = 0; index < 40; index++) store.put(`key-${index}`, 'value');
    (registry as promClient.Registry).resetMetrics();
    store.put('key', 'value');
    const text = await registry.metrics();
    expect(sample(text, 'tidemark_puts_total{store="a"}')).toBe(1);
    expect(sample(text, 'tidemark_put_duration_seconds_count{store="a"}')).toBe(1);
    expect(sample(text, 'tidemark_put_duration_seconds_bucket{store="a",le="+Inf"}')).toBe(1);
    expect(sample(text, 'tidemark_keys{store="a"}')).toBe(41);
    await store.close();
  });

  test('a registry that holds one of the names is refused, and the store is not opened', async () => {
    const registry = newRegistry();
    const mine = { name: 'tidemark_keys', help: 'mine', type: 'gauge' };
    registry.registerMetric({ ...mine, get: async () => ({ ...mine, values: [] }) });
    const fileSystem = new MemoryFileSystem();
    await expect(open(registry, 'a', fileSystem)).rejects.toThrow(
      /already holds a metric tidemark_keys/,
    );
    expect(fileSystem.stat('/a')).toBeUndefined();
    expect(await registry.metrics()).not.toContain('tidemark_puts_total');
  });
});

describe('OpenMetrics', () => {
  test('both formats give the same names and values, in turn and again', async () => {
    const registry = new promClient.Registry();
    const store = await open(registry, 'a');
    store.put('key', 'value');
    const names = async (type: promClient.RegistryContentType) => {
      registry.setContentType(type as never);
      return (await registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith('tidemark_'))
        .map((line) => line.split(' # ', 1)[0] as string)
        .filter((line) => !line.includes('timestamp_seconds'));
    };
    const plain = await names(promClient.Registry.PROMETHEUS_CONTENT_TYPE);
    expect(plain).toContain('tidemark_puts_total{store="a"} 1');
    expect(await names(promClient.Registry.OPENMETRICS_CONTENT_TYPE)).toEqual(plain);
    expect(await names(promClient.Registry.PROMETHEUS_CONTENT_TYPE)).toEqual(plain);
    await store.close();
    expect(await names(promClient.Registry.OPENMETRICS_CONTENT_TYPE)).toEqual([]);
  });

  test.each([0, 1])(
    'latency buckets carry the trace of a sampled operation, whichever probe stands first: %d',
    async (first) => {
      const registry = new promClient.Registry();
      registry.setContentType(promClient.Registry.OPENMETRICS_CONTENT_TYPE as never);
      const exporter = new InMemorySpanExporter();
      const provider = new BasicTracerProvider({
        spanProcessors: [new SimpleSpanProcessor(exporter)],
      });
      const probes = [
        prometheusProbe({ registry }),
        otelProbe({ mode: 'all', tracerProvider: provider }),
      ];
      const store = await openStore('/a', {
        fileSystem: new MemoryFileSystem(),
        probe: first === 0 ? probes : probes.toReversed(),
      });
      await store.putDurable('key', 'value');
      store.get('key');
      const text = await registry.metrics();
      for (const [family, operation] of [
        ['get', 'get'],
        ['put', 'put'],
        ['sync', 'sync'],
        ['durable_wait', 'durableWait'],
      ]) {
        const [, traceId, seconds] =
          text.match(
            new RegExp(
              `tidemark_${family}_duration_seconds_bucket\\{.* # \\{trace_id="(\\w+)",span_id="\\w+"\\} (\\S+) `,
            ),
          ) ?? [];
        const span = exporter
          .getFinishedSpans()
          .find((one) => one.attributes['db.operation.name'] === operation);
        expect(traceId, family).toBe(span?.spanContext().traceId);
        expect(Number(seconds)).toBeGreaterThan(0);
      }
      await store.close();
    },
  );

  test('the workers of a cluster are summed, but for times and states', async () => {
    const registries = [new promClient.Registry(), new promClient.Registry()];
    const stores = [];
    for (const registry of registries) {
      const store = await open(registry, 'a');
      await store.putDurable('key', 'value');
      stores.push(store);
    }
    const snapshots = await Promise.all(registries.map((one) => one.getMetricsAsJSON()));
    const all = promClient.AggregatorRegistry.aggregate(snapshots as never);
    const text = await all.metrics();
    expect(sample(text, 'tidemark_puts_total{store="a"}')).toBe(2);
    expect(sample(text, 'tidemark_keys{store="a"}')).toBe(2);
    expect(sample(text, 'tidemark_state{store="a",state="open"}')).toBe(1);
    expect(sample(text, 'tidemark_kernel_lock{store="a"}')).toBe(1);
    const last = sample(text, 'tidemark_last_sync_timestamp_seconds{store="a"}') as number;
    expect(last).toBeLessThan(Date.now() / 1000 + 1);
    for (const store of stores) await store.close();
  });
});

describe('serveMetrics', () => {
  test('a store that did not open turns /healthz 503 with the reason; one that opens then is well', async () => {
    const registry = new promClient.Registry();
    const probe = prometheusProbe({ registry });
    const server = await serveMetrics({ registry, probes: [probe], port: 0 });
    onTestFinished(() => server.close());
    const fileSystem = new MemoryFileSystem();
    const store = await openStore('/a', { fileSystem, segmentBytes: 400 });
    for (let index = 0; index < 30; index++) store.put(`key-${index}`, 'value');
    await store.sealsWritten();
    await store.close();
    fileSystem.mutate(segmentPath('/a', 1), (bytes) => {
      bytes[30] = (bytes[30] as number) ^ 1;
      return undefined;
    });
    await expect(openStore('/a', { fileSystem, probe, open: 'full' })).rejects.toThrow();
    const health = await fetched(`${server.url}/healthz`);
    expect(health.status).toBe(503);
    expect(health.body).toMatch(/^a did not open: STORE_CORRUPT: .*00000001.dwal/);
    const { body } = await fetched(`${server.url}/metrics`);
    expect(sample(body, 'tidemark_corruptions_total{store="a",kind="STORE_CORRUPT"}')).toBe(1);
    probe.giveUp();
    expect(await fetched(`${server.url}/healthz`)).toMatchObject({ status: 200 });
  });

  test.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['identity', false],
    ['gzip;q=0', false],
  ])('whoever takes %s gets it compressed: %s', async (encoding, isCompressed) => {
    const registry = new promClient.Registry();
    const store = await open(registry, 'a');
    const server = await serveMetrics({ registry, port: 0 });
    onTestFinished(() => server.close());
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) => {
      get(`${server.url}/metrics`, { headers: { 'accept-encoding': encoding } }, resolve);
    });
    const bytes = Buffer.concat(await response.toArray());
    expect(response.headers['content-encoding']).toBe(isCompressed ? 'gzip' : undefined);
    const text = isCompressed ? gunzipSync(bytes) : bytes;
    expect(text.toString()).toContain('tidemark_keys{store="a"} 0');
    await store.close();
  });

  test('/metrics shows the store, /healthz turns 503 once it is poisoned, anything else is 404', async () => {
    const registry = new promClient.Registry();
    const fileSystem = new MemoryFileSystem();
    const probe = prometheusProbe({ registry });
    const store = await openStore('/store', { fileSystem, probe });
    const server = await serveMetrics({ registry, probes: [probe], port: 0 });
    onTestFinished(() => server.close());
    expect(await fetched(`${server.url}/metrics`)).toMatchObject({
      status: 200,
      body: expect.stringMatching(/tidemark_keys\{store="store"\} 0/),
    });
    expect(await fetched(`${server.url}/healthz`)).toMatchObject({ status: 200 });
    expect(await fetched(`${server.url}/<script>`)).toEqual({
      status: 404,
      body: 'there is /metrics and /healthz\n',
    });
    fileSystem.write = () => {
      throw Object.assign(new Error('disk is gone'), { code: 'EIO' });
    };
    expect(() => store.put('key', 'value')).toThrow(/WRITE_FAILED/);
    expect(await fetched(`${server.url}/healthz`)).toMatchObject({ status: 503 });
    expect(await fetched(`${server.url}/metrics`)).toMatchObject({
      body: expect.stringMatching(/tidemark_poisoned\{store="store"\} 1/),
    });
    await store.close();
  });

  test('a port in use and an address that is not loopback are refused with what to do', async () => {
    const registry = new promClient.Registry();
    const server = await serveMetrics({ registry, port: 0 });
    onTestFinished(() => server.close());
    await expect(serveMetrics({ registry, port: server.port })).rejects.toThrow(
      `port ${server.port} on 127.0.0.1 is in use`,
    );
    await expect(serveMetrics({ registry, host: '0.0.0.0', port: 0 })).rejects.toThrow(
      /allowRemote: true/,
    );
  });
});

test('the version that is told is that of the package', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});

describe('timed gets', () => {
  test.each([2, 3, 8, 10, 16])(
    'of gets that repeat themselves every %d, each is timed as often',
    (period) => {
      const metrics = new StoreMetrics();
      const rounds = 170;
      for (let get = 0; get < period * rounds; get++) {
        const timed = metrics.began(get, 'get');
        // One of each period is slow.
        metrics.got(get, true, 0, timed ? (get % period === 0 ? 1e9 : 1000) : NOT_TIMED, undefined);
      }
      const { sumSeconds } = metrics.getTime;
      expect(sumSeconds).toBeGreaterThan(rounds - 17);
      expect(sumSeconds).toBeLessThan(rounds + 17);
    },
  );
});

describe('duration histogram', () => {
  test('every duration counts in the Prometheus buckets at and above it', () => {
    const bounds = [3, 4, 5, 6, 7, 8, 9].flatMap((decade) =>
      [1, 2, 5].map((digit) => digit * 10 ** decade),
    );
    for (let exponent = 0; exponent < 11; exponent++) {
      for (const factor of [1.01, 1.5, 1.99, 2.01, 4.99, 5.01, 9.99]) {
        const durationNs = factor * 10 ** exponent;
        const histogram = new DurationHistogram(bounds);
        histogram.observe(durationNs, 3);
        expect(histogram.cumulative()).toEqual(bounds.map((bound) => (durationNs < bound ? 3 : 0)));
        expect(histogram.count).toBe(3);
        expect(histogram.sumSeconds).toBeCloseTo((3 * durationNs) / 1e9, 12);
      }
    }
  });
});

function fetched(url: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    }).on('error', reject);
  });
}
