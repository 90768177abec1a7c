import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FLEET_DASHBOARD } from '../boards/fleet-dashboard.ts';
import { SOAK_DASHBOARD } from '../boards/soak-dashboard.ts';
import { STORE_DASHBOARD } from '../boards/store/store-dashboard.ts';
import { buildDashboard } from '../panels/dashboard.ts';
import { alertRulesYaml, recordingRulesYaml } from '../rules/rule-files.ts';

export const DASHBOARDS = [STORE_DASHBOARD, SOAK_DASHBOARD, FLEET_DASHBOARD] as const;

/** Everything that is generated and committed, by its path under `dashboards/`. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...DASHBOARDS.map((spec): [string, string] => [
      `grafana/${spec.uid}.json`,
      onePanelPerLine(buildDashboard(spec)),
    ]),
    ['prometheus/tidemark-rules.yaml', recordingRulesYaml()],
    ['prometheus/tidemark-alerts.yaml', alertRulesYaml()],
  ]);
}

/** A change of one panel is a change of one line. */
function onePanelPerLine(dashboard: object): string {
  const fields = Object.entries(dashboard).map(([name, value]) => {
    const lines =
      name === 'panels' ? (value as unknown[]).map((panel) => JSON.stringify(panel)) : [];
    const text = lines.length > 0 ? `[\n${lines.join(',\n')}\n]` : JSON.stringify(value);
    return `${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${fields.join(',\n')}\n}\n`;
}

export function writeGenerated(root: string): string[] {
  const paths = [...generatedFiles()].map(([path, text]) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    return target;
  });
  return paths;
}
