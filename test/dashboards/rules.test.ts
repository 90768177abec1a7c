import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ALERT_RULES } from '../../dashboards/rules/alert-rules.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { ALERT_CASES, type AlertCase } from './alert-cases.ts';

const RULES = ['tidemark-rules.yaml', 'tidemark-alerts.yaml'].map((name) =>
  resolve('dashboards', 'prometheus', name),
);
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.warn('skipped: no promtool here (Debian: apt-get install prometheus)');

function promtool(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', words, { encoding: 'utf8' });
  return `${stdout}${stderr}exit ${status}`;
}

function unitTest({ alert, fires, atMinutes, series }: AlertCase): unknown {
  const expr = `count(ALERTS{alertname="${alert}", alertstate="firing"}) or vector(0)`;
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      { expr, eval_time: `${atMinutes}m`, exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }] },
    ],
  };
}

describe.skipIf(!hasPromtool)('rules under promtool', () => {
  test('rules and alerts are valid', () => {
    expect(promtool('check', 'rules', ...RULES)).toMatch(/exit 0$/);
  });

  test.each(ALERT_CASES.map((each) => ({ ...each, verb: each.fires ? 'fires' : 'is silent' })))(
    '$alert $verb: $when',
    (alertCase) => {
      const file = join(temporaryDirectory(), 'case.yaml');
      const suite = { rule_files: RULES, evaluation_interval: '1m', tests: [unitTest(alertCase)] };
      writeFileSync(file, stringify(suite));
      expect(promtool('test', 'rules', file)).toMatch(/exit 0$/);
    },
  );
});

describe('alerts', () => {
  test('each is proved to fire and to be silent', () => {
    const proved = (fires: boolean) =>
      new Set(ALERT_CASES.filter((each) => each.fires === fires).map(({ alert }) => alert));
    const all = new Set(ALERT_RULES.map(({ alert }) => alert));
    expect(proved(true)).toEqual(all);
    expect(proved(false)).toEqual(all);
  });

  test('each has its chapter in docs/operations.md: what it means, what to look at, what to do', () => {
    const chapters = readFileSync('docs/operations.md', 'utf8').split(/^### /m).slice(1);
    const texts = new Map(chapters.map((text) => [text.slice(0, text.indexOf('\n')), text]));
    expect([...texts.keys()].filter((title) => title.startsWith('Tidemark')).sort()).toEqual(
      ALERT_RULES.map(({ alert }) => alert).sort(),
    );
    for (const { alert } of ALERT_RULES) {
      for (const part of ['**Means.**', '**Look at.**', '**Do.**'])
        expect(texts.get(alert)).toContain(part);
    }
  });
});
