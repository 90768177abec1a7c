import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExitCode } from '../../harness/exit-code.ts';
import { print } from '../../harness/standard-streams.ts';
import { DASHBOARDS } from '../generated/generated-files.ts';
import { metricFaults } from '../generated/metric-use.ts';
import type { DashboardSpec } from '../panels/dashboard.ts';
import { ALERT_RULES } from '../rules/alert-rules.ts';
import { type PanelResult, queryDashboard } from './panel-queries.ts';
import { CannotCheck, isInstalled, Processes } from './processes.ts';
import type { PrometheusApi } from './prometheus-api.ts';
import { drawDashboards } from './screenshots.ts';
import { SCRAPE_SECONDS, type Span, SubjectRuns } from './subject-runs.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  prometheus: 'prometheus',
  'prometheus-node-exporter': 'prometheus-node-exporter',
};

/**
 * Alerts whose conditions take minutes or days to come true: `promtool test rules` provokes them in
 * test/dashboards.
 */
const BY_RULE_TEST = new Set([
  'TidemarkDurableLagGrowing',
  'TidemarkDiskFullSoon',
  'TidemarkDescriptorLeak',
  'TidemarkMemoryGrowing',
  'TidemarkRecoverySlow',
]);

/** Alerts that a busy machine may raise with stores that are well. */
const BY_MACHINE = new Set(['TidemarkSyncSlow', 'TidemarkWriteStalls']);

export async function check({ screenshots }: { screenshots?: string }): Promise<ExitCode> {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program));
  if (missing.length > 0) {
    say(
      `needs ${missing.map(([program]) => program).join(' and ')} (Debian: apt-get install ${missing.map(([, name]) => name).join(' ')})`,
    );
    return ExitCode.usage;
  }
  const faults = metricFaults();
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-dashboards-'));
  const processes = new Processes();
  const endAll = () => {
    processes.endAllNow();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', endAll);
  try {
    faults.push(...(await watch(new SubjectRuns(processes, directory), screenshots)));
  } catch (error) {
    if (!(error instanceof CannotCheck)) throw error;
    say(error.message);
    return ExitCode.inconclusive;
  } finally {
    await processes.endAll();
    process.removeListener('exit', endAll);
    rmSync(directory, { recursive: true, force: true });
  }
  for (const fault of faults) say(`FAULT ${fault}`);
  say(faults.length === 0 ? 'PASS' : `FAIL: ${faults.length} faults`);
  return faults.length === 0 ? ExitCode.pass : ExitCode.broken;
}

async function watch(runs: SubjectRuns, screenshots: string | undefined): Promise<string[]> {
  const api = await runs.start();
  say('first run: stores that are well, one process killed and started again');
  const well = await runs.runWell();
  const healthy = await queryAll(api, well, false);
  const early = await firedAlerts(api, well);
  say(describe(healthy));
  say(
    'second run: a slow disk, a broken one, a flipped byte, garbage, a span budget, kills; and a soak',
  );
  const soak = runs.soak();
  const sick = await runs.runFaults();
  const provoked = await queryAll(api, sick, true);
  const late = await firedAlerts(api, sick);
  say(describe(provoked));
  say(`alerts that fired: ${[...late].join(', ')}`);
  if (screenshots !== undefined) {
    const whole = { fromSeconds: well.fromSeconds, toSeconds: sick.toSeconds };
    drawDashboards(screenshots, DASHBOARDS, await queryAll(api, well, false), 'well');
    drawDashboards(screenshots, DASHBOARDS, await queryAll(api, whole, true), 'sick');
  }
  const expected = ALERT_RULES.map(({ alert }) => alert).filter(
    (alert) => !BY_RULE_TEST.has(alert),
  );
  return [
    ...faultsOf('well', healthy),
    ...faultsOf('with faults', provoked),
    ...(await soakFaults(api, sick, await soak)),
    ...[...early]
      .filter((alert) => !BY_MACHINE.has(alert))
      .map((alert) => `${alert} fires though all is well`),
    ...expected.filter((alert) => !late.has(alert)).map((alert) => `${alert} does not fire`),
  ];
}

async function queryAll(api: PrometheusApi, span: Span, isSick: boolean): Promise<PanelResult[]> {
  const results = [];
  for (const spec of DASHBOARDS as readonly DashboardSpec[]) {
    results.push(...(await queryDashboard(spec, api, span, isSick)));
  }
  return results;
}

async function firedAlerts(
  api: PrometheusApi,
  { fromSeconds, toSeconds }: Span,
): Promise<Set<string>> {
  const expr = 'ALERTS{alertname=~"Tidemark.+", alertstate="firing"}';
  const series = await api.range(expr, fromSeconds, toSeconds, SCRAPE_SECONDS);
  return new Set(series.map(({ labels }) => labels.alertname as string).sort());
}

/** What a soak serves is what the rules record, and the dashboards show. */
async function soakFaults(
  api: PrometheusApi,
  span: Span,
  status: number | null,
): Promise<string[]> {
  const faults = status === ExitCode.pass ? [] : [`the soak ended with ${status}`];
  for (const name of [
    'puts:rate5m',
    'sync_duration_seconds:p99_5m',
    'garbage:ratio',
    'recoveries:increase1h',
  ]) {
    const expr = `job_instance_store:tidemark_${name}{job="soak"}`;
    const series = await api.range(expr, span.fromSeconds, span.toSeconds, SCRAPE_SECONDS);
    if (!series.some(({ points }) => points.some(([, value]) => value >= 0)))
      faults.push(`no data: ${expr}`);
  }
  return faults;
}

function faultsOf(run: string, results: readonly PanelResult[]): string[] {
  return results.flatMap(({ dashboard, title, faults }) =>
    faults.map((fault) => `${run}, ${dashboard}, ${title}: ${fault}`),
  );
}

function describe(results: readonly PanelResult[]): string {
  const queries = results.reduce((sum, { targets }) => sum + targets.length, 0);
  const right = results.filter(({ faults }) => faults.length === 0).length;
  return `${right} of ${results.length} panels and annotations right, ${queries} queries`;
}

function say(line: string): void {
  print(`dashboards: ${line}`);
}
