import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Service {
  readonly image: string;
  readonly network_mode: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly depends_on?: readonly string[];
}

const load = (path: string) =>
  parse(readFileSync(join('dashboards', path), 'utf8'), { strict: true });
const services: Readonly<Record<string, Service>> = load('compose.yaml').services;
const prometheus = load('provisioning/prometheus.yaml');
const collector = load('provisioning/otel-collector.yaml');
const tempo = load('provisioning/tempo.yaml');
const datasources: { uid: string; type: string; url: string; jsonData?: unknown }[] = load(
  'provisioning/grafana/datasources/tidemark.yaml',
).datasources;

/** What a container sees at a path, as a path of this repository. */
function mounted(service: string, path: string): string {
  for (const volume of services[service]?.volumes ?? []) {
    const [source = '', target = ''] = volume.split(':');
    if (path === target || path.startsWith(`${target}/`)) {
      return resolve('dashboards', source) + path.slice(target.length);
    }
  }
  throw new Error(`${service} mounts nothing at ${path}`);
}

const flag = (service: string, name: string) =>
  services[service]?.command?.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ??
  '';

const targetsOf = (job: string): string[] =>
  prometheus.scrape_configs.find(({ job_name }: { job_name: string }) => job_name === job)
    .static_configs[0].targets;

describe('compose.yaml', () => {
  test.each(Object.entries(services))(
    '%s is pinned, and what it mounts is there',
    (_name, service) => {
      expect(service.image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+$/);
      expect(service.network_mode).toBe('host');
      for (const volume of service.volumes) {
        const [source = '', target = '', mode] = volume.split(':');
        expect(existsSync(resolve('dashboards', source)), volume).toBe(true);
        expect(target).toMatch(/^\//);
        expect(mode).toMatch(/^ro\b/);
      }
      for (const other of service.depends_on ?? []) expect(services).toHaveProperty(other);
    },
  );

  test('every file that a command or an environment names is mounted', () => {
    const named = Object.entries(services).flatMap(([name, { command = [], environment = {} }]) => [
      ...command
        .filter((word) => /config/.test(word))
        .map((word) => [name, word.split('=')[1] as string]),
      ...Object.entries(environment)
        .filter(([key]) => key.endsWith('_PATH'))
        .map(([, path]) => [name, path]),
    ]);
    expect(named.length).toBe(4);
    for (const [name, path] of named as [string, string][])
      expect(existsSync(mounted(name, path))).toBe(true);
  });

  test('nothing listens beyond loopback', () => {
    const texts = [
      'compose.yaml',
      'provisioning/otel-collector.yaml',
      'provisioning/tempo.yaml',
    ].map((path) => readFileSync(join('dashboards', path), 'utf8'));
    expect(texts.join('')).not.toContain('0.0.0.0');
    for (const name of ['prometheus', 'node-exporter']) {
      expect(flag(name, '--web.listen-address')).toMatch(/^127\.0\.0\.1:/);
    }
    expect(services.grafana?.environment?.GF_SERVER_HTTP_ADDR).toBe('127.0.0.1');
    expect(tempo.server.http_listen_address).toBe('127.0.0.1');
  });

  test('each port is that of its other end, and none is taken twice', () => {
    const listening = {
      prometheus: flag('prometheus', '--web.listen-address'),
      node: flag('node-exporter', '--web.listen-address'),
      otlp: collector.receivers.otlp.protocols.http.endpoint as string,
      collectorMetrics: `127.0.0.1:${collector.service.telemetry.metrics.readers[0].pull.exporter.prometheus.port}`,
      tempoOtlp: tempo.distributor.receivers.otlp.protocols.grpc.endpoint as string,
      tempo: `127.0.0.1:${tempo.server.http_listen_port}`,
      tempoGrpc: `127.0.0.1:${tempo.server.grpc_listen_port}`,
      grafana: `127.0.0.1:${services.grafana?.environment?.GF_SERVER_HTTP_PORT}`,
    };
    expect(new Set(Object.values(listening)).size).toBe(Object.values(listening).length);
    expect(targetsOf('prometheus')).toEqual([listening.prometheus]);
    expect(targetsOf('node')).toEqual([listening.node]);
    expect(targetsOf('otel-collector')).toEqual([listening.collectorMetrics]);
    expect(collector.exporters.otlp.endpoint).toBe(listening.tempoOtlp);
    expect(datasources.map(({ type, url }) => [type, url])).toEqual([
      ['prometheus', `http://${listening.prometheus}`],
      ['tempo', `http://${listening.tempo}`],
    ]);
    const [command] =
      readFileSync('docs/operations.md', 'utf8').match(/npm run soak -- .*--otlp.*/) ?? [];
    const [port] = (targetsOf('tidemark')[0] as string).match(/\d+$/) ?? [];
    expect(command).toContain(`--metrics-port ${port}`);
    expect(command).toContain(`--otlp http://${listening.otlp}/v1/traces`);
  });

  test("Grafana finds its datasources and the dashboards, and an exemplar's Tempo is one of them", () => {
    const provider = load('provisioning/grafana/dashboards/tidemark.yaml').providers[0];
    const files = readdirSync(mounted('grafana', provider.options.path));
    expect(files.sort()).toEqual([
      'tidemark-fleet.json',
      'tidemark-soak.json',
      'tidemark-store.json',
    ]);
    const provisioning = mounted('grafana', '/etc/grafana/provisioning');
    expect(readdirSync(provisioning).sort()).toEqual(['dashboards', 'datasources']);
    expect(JSON.stringify(datasources[0]?.jsonData)).toContain('"datasourceUid":"tempo"');
    expect(datasources.map(({ uid }) => uid)).toContain('tempo');
  });

  test('the pipeline of the collector names only what it has', () => {
    for (const part of ['receivers', 'processors', 'exporters']) {
      expect(Object.keys(collector[part]).sort()).toEqual(
        [...collector.service.pipelines.traces[part]].sort(),
      );
    }
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  test.skipIf(!hasPromtool)('promtool accepts the configuration with its rules', () => {
    const file = join(temporaryDirectory(), 'prometheus.yaml');
    const [pattern] = prometheus.rule_files as [string];
    const text = readFileSync('dashboards/provisioning/prometheus.yaml', 'utf8');
    writeFileSync(file, text.replace(pattern, mounted('prometheus', pattern)));
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'config', file], {
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).toContain('13 rules found');
    expect(status).toBe(0);
  });
});
