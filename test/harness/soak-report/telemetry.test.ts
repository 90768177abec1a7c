import { execFile, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Summary } from '../../../harness/soak/result/summary.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { until } from '../../support/until.ts';
import { readSummary, startSoak } from '../soak/soak-command.ts';

const MAIN = 'dist/harness/soak/main.js';
const hasPrometheus = ['prometheus', 'promtool'].every(
  (tool) => spawnSync(tool, ['--version']).status === 0,
);
if (!hasPrometheus)
  console.warn('skipped: no prometheus and promtool here (Debian: apt-get install prometheus)');

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}

function soak(out: string, ...words: string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, '--out', out, '--seed', '5', ...words],
      (error, stdout, stderr) => {
        resolve({
          status: error === null ? 0 : (error.code as unknown as number),
          output: stdout + stderr,
        });
      },
    );
  });
}

function summaryIn(out: string): Summary {
  return JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as Summary;
}

/** Receives OTLP/HTTP as a collector does; `answer` is the status it gives. */
async function receiver(answer: number): Promise<{ url: string; spans: OtlpSpan[] }> {
  const spans: OtlpSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
      for (const { scopeSpans } of resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans);
      response.writeHead(answer, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans };
}

describe('telemetry of a soak', () => {
  test('spans arrive over OTLP/HTTP: each get with its pread and its checksum as children, and all are accounted for', async () => {
    const out = temporaryDirectory();
    const { url, spans } = await receiver(200);
    const { status, output } = await soak(
      out,
      '--bytes',
      '8MB',
      '--otlp',
      url,
      '--trace-ratio',
      '0.05',
    );
    expect(`${status} ${output}`).toMatch(/^0 /);
    const report = summaryIn(out).spans as NonNullable<Summary['spans']>;
    expect(report).toMatchObject({ addsUp: true, dropped: 0, exported: spans.length });
    const { emitted, unsampled, budget } = report.counts.pread;
    expect(emitted + unsampled + budget).toBe(report.preads);
    expect(spans.filter(({ name }) => name === 'tidemark.pread')).toHaveLength(emitted);
    const hits = spans.filter(
      ({ name, spanId }) =>
        name === 'get soak' && spans.some(({ parentSpanId }) => parentSpanId === spanId),
    );
    expect(hits.length).toBeGreaterThan(10);
    for (const { spanId, traceId } of hits) {
      const children = spans.filter(({ parentSpanId }) => parentSpanId === spanId);
      expect(children.map(({ name }) => name)).toEqual(['tidemark.pread', 'tidemark.crc_validate']);
      for (const child of children) expect(child.traceId).toBe(traceId);
    }
  });

  test('a receiver that refuses costs spans, which are counted, and nothing else', async () => {
    const out = temporaryDirectory();
    const { url } = await receiver(400);
    const { status, output } = await soak(
      out,
      '--bytes',
      '4MB',
      '--otlp',
      url,
      '--trace-ratio',
      '0.01',
    );
    expect(status).toBe(0);
    expect(output).toMatch(/spans .* dropped on the way/);
    const { dropped, exported, addsUp } = summaryIn(out).spans as NonNullable<Summary['spans']>;
    expect({ exported, addsUp }).toEqual({ exported: 0, addsUp: true });
    expect(dropped).toBeGreaterThan(0);
  });

  test('a port in use, and flags that do not fit together, are refused before anything is written', async () => {
    const blocker = createTcpServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void blocker.close());
    const { port } = blocker.address() as AddressInfo;
    const out = temporaryDirectory();
    expect(await soak(out, '--metrics-port', String(port))).toEqual({
      status: 2,
      output: `soak: port ${port} on 127.0.0.1 is in use\n`,
    });
    expect((await soak(out, '--trace-ratio', '0.5')).output).toMatch(/--trace-ratio needs --otlp/);
    expect((await soak(out, '--otlp', 'nonsense')).output).toMatch(/Give an http URL/);
  });

  test.skipIf(!hasPrometheus)(
    'metrics.prom is clean under promtool, and says what the summary says',
    async () => {
      const out = temporaryDirectory();
      const port = await freePort();
      const { status } = await soak(out, '--bytes', '8MB', '--metrics-port', String(port));
      expect(status).toBe(0);
      const text = readFileSync(join(out, 'metrics.prom'), 'utf8');
      const checked = spawnSync('promtool', ['check', 'metrics'], {
        input: text,
        encoding: 'utf8',
      });
      expect(checked.stderr + checked.stdout).toBe('');
      expect(checked.status).toBe(0);
      const puts = /^tidemark_puts_total\{store="soak"\} (\d+)$/m.exec(text)?.[1];
      expect(Number(puts)).toBe(summaryIn(out).totals?.puts);
    },
  );

  test.skipIf(!hasPrometheus)(
    'a real Prometheus scrapes a running soak and answers queries',
    async () => {
      const out = temporaryDirectory();
      const metricsPort = await freePort();
      const query = await startPrometheus(metricsPort);
      // As long as it takes to be scraped; it is stopped then.
      const words = [
        '--seconds',
        '3600',
        '--seed',
        '5',
        '--keys',
        '200',
        '--metrics-port',
        String(metricsPort),
      ];
      const running = startSoak([...words, '--out', out]);
      onTestFinished(() => void running.process.kill('SIGKILL'));
      await until(async () => ((await query('sum(tidemark_puts_total)')) ?? 0) > 100);
      // Two scrapes make a rate. On a busy machine they are far apart, and while the soak reopens
      // its store there is none to scrape: look back over that.
      await until(async () => ((await query('sum(rate(tidemark_puts_total[1m]))')) ?? 0) > 0);
      expect(await query('last_over_time(tidemark_poisoned{store="soak"}[1m])')).toBe(0);
      const p99 = 'histogram_quantile(0.99, rate(tidemark_sync_duration_seconds_bucket[1m]))';
      await until(async () => ((await query(p99)) ?? 0) > 0);
      process.kill(-(running.process.pid as number), 'SIGINT');
      expect((await running.result).code).toBe(130);
      expect(readSummary(out).totals.puts).toBeGreaterThan(100);
    },
  );
});

type Query = (expression: string) => Promise<number | undefined>;

/** A Prometheus that scrapes this port until the test is over. */
async function startPrometheus(metricsPort: number): Promise<Query> {
  const directory = temporaryDirectory();
  const configuration = join(directory, 'prometheus.yml');
  writeFileSync(
    configuration,
    `global: { scrape_interval: 500ms }
scrape_configs:
  - job_name: soak
    static_configs: [{ targets: ['127.0.0.1:${metricsPort}'] }]
`,
  );
  const flags = [
    `--config.file=${configuration}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
  ];
  const prometheus = spawn('prometheus', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => prometheus.once('exit', resolve));
  onTestFinished(async () => {
    prometheus.kill();
    await ended;
  });
  const address = await addressIn(prometheus.stderr);
  return async (expression) => {
    const response = await fetch(
      `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`,
    );
    // It listens before it is ready.
    if (!response.ok) return undefined;
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    const value = data.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  };
}

/**
 * Where a Prometheus listens, as its log says; it goes on being read, so that it can go on being
 * written.
 */
function addressIn(log: Readable): Promise<string> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    createInterface({ input: log })
      .on('line', (line) => {
        lines.push(line);
        const address = /"Listening on".* address=(\S+)/.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      })
      .on('close', () => reject(new Error(lines.join('\n'))));
  });
}
