import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { alertRulesYaml, recordingRulesYaml } from '../rules/rule-files.ts';
import { freePort, type Processes } from './processes.ts';
import { PrometheusApi } from './prometheus-api.ts';

export const SCRAPE_SECONDS = 1;
/** Alerts that wait for minutes wait for seconds here. */
const FOR_DIVISOR = 60;
const WELL_SECONDS = 34;
/** The longest of them waits for half of it; a scrape that comes late begins the wait anew. */
const FAULTS_SECONDS = 60;
const SUBJECT = fileURLToPath(new URL('./subject.js', import.meta.url));
const SOAK = fileURLToPath(new URL('../../harness/soak/main.js', import.meta.url));

export interface Span {
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** Prometheus with the rules, and the processes that it watches. */
export class SubjectRuns {
  private readonly processes: Processes;
  private readonly directory: string;
  private readonly ports = { prometheus: 0, node: 0, busy: 0, quiet: 0, faults: 0, soak: 0 };
  private quiet: ChildProcess | undefined;

  constructor(processes: Processes, directory: string) {
    this.processes = processes;
    this.directory = directory;
  }

  async start(): Promise<PrometheusApi> {
    for (const name of Object.keys(this.ports) as (keyof typeof this.ports)[])
      this.ports[name] = await freePort();
    const listen = (port: number) => `--web.listen-address=127.0.0.1:${port}`;
    const rules = {
      'rules.yaml': recordingRulesYaml(),
      'alerts.yaml': alertRulesYaml(FOR_DIVISOR),
    };
    mkdirSync(this.directory, { recursive: true });
    for (const [name, text] of Object.entries(rules))
      writeFileSync(join(this.directory, name), text);
    writeFileSync(join(this.directory, 'prometheus.yaml'), this.configuration(Object.keys(rules)));
    await this.processes.start(
      'prometheus-node-exporter',
      [listen(this.ports.node), '--collector.disable-defaults', '--collector.filesystem'],
      /[Ll]istening on|TLS is disabled/,
    );
    await this.processes.start(
      'prometheus',
      [
        `--config.file=${join(this.directory, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(this.directory, 'tsdb')}`,
        listen(this.ports.prometheus),
      ],
      /ready to receive web requests/,
    );
    return new PrometheusApi(`http://127.0.0.1:${this.ports.prometheus}`);
  }

  async runWell(): Promise<Span> {
    const fromSeconds = Date.now() / 1000;
    this.quiet = await this.subject('ledger', this.ports.quiet, 'quiet');
    const busy = await this.subject('sessions,catalog', this.ports.busy, 'busy');
    await seconds(WELL_SECONDS / 3);
    await this.processes.kill(busy);
    await this.subject('sessions,catalog', this.ports.busy, 'busy');
    await seconds((WELL_SECONDS * 2) / 3);
    return { fromSeconds, toSeconds: Date.now() / 1000 };
  }

  async runFaults(): Promise<Span> {
    const fromSeconds = Date.now() / 1000;
    for (let restart = 0; restart < 3; restart++) {
      const subject = await this.subject('faults', this.ports.faults, 'faults');
      await seconds(4);
      await this.processes.kill(subject);
    }
    await this.subject('faults', this.ports.faults, 'faults');
    await seconds(FAULTS_SECONDS / 2);
    if (this.quiet !== undefined) await this.processes.kill(this.quiet);
    await seconds(FAULTS_SECONDS / 2);
    return { fromSeconds, toSeconds: Date.now() / 1000 };
  }

  /** A soak as anyone runs it; resolves to its exit status. */
  soak(): Promise<number | null> {
    const out = ['--out', join(this.directory, 'soak')];
    const words = [
      '--seconds',
      '10',
      '--seed',
      '1',
      '--metrics-port',
      String(this.ports.soak),
      ...out,
    ];
    return this.processes.run(process.execPath, [SOAK, ...words]);
  }

  private subject(run: string, port: number, directory: string): Promise<ChildProcess> {
    const words = [SUBJECT, run, String(port), join(this.directory, directory)];
    return this.processes.start(process.execPath, words, /^ready$/);
  }

  private configuration(rules: readonly string[]): string {
    const targets = (...ports: number[]) => [{ targets: ports.map((port) => `127.0.0.1:${port}`) }];
    const { busy, quiet, faults, soak, node } = this.ports;
    return stringify({
      global: { scrape_interval: `${SCRAPE_SECONDS}s`, evaluation_interval: `${SCRAPE_SECONDS}s` },
      rule_files: rules.map((name) => join(this.directory, name)),
      scrape_configs: [
        { job_name: 'tidemark', static_configs: targets(busy, quiet, faults) },
        { job_name: 'soak', static_configs: targets(soak) },
        { job_name: 'node', static_configs: targets(node) },
      ],
    });
  }
}

function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000));
}
