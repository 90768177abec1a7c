import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { describe, expect, test } from 'vitest';
import { queryDashboard, substitute } from '../../dashboards/check/panel-queries.ts';
import { PrometheusApi, type Series } from '../../dashboards/check/prometheus-api.ts';
import { DASHBOARDS, generatedFiles } from '../../dashboards/generated/generated-files.ts';
import { everyExpression, metricFaults, seriesIn } from '../../dashboards/generated/metric-use.ts';
import { buildDashboard } from '../../dashboards/panels/dashboard.ts';
import { THRESHOLDS } from '../../dashboards/panels/thresholds.ts';
import { ALERT_RULES } from '../../dashboards/rules/alert-rules.ts';

/** The fields of a panel that the rules look at. */
interface PanelModel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { uid: string };
  readonly targets: readonly {
    expr: string;
    refId: string;
    legendFormat: string;
    datasource: { uid: string };
  }[];
  readonly fieldConfig: {
    defaults: { unit?: string; thresholds?: { steps: { value: number | null; color: string }[] } };
  };
}

const MODELS = DASHBOARDS.map((spec) => buildDashboard(spec));

function panelsOf(model: Dashboard): PanelModel[] {
  return (model.panels ?? []).filter(({ type }) => type !== 'row') as unknown as PanelModel[];
}

const PANELS = MODELS.flatMap((model) =>
  panelsOf(model).map((panel) => ({ name: `${model.uid}: ${panel.title}`, panel })),
);

describe('generated files', () => {
  test.each([...generatedFiles()])('generating %s anew changes nothing', (path, text) => {
    expect(readFileSync(join('dashboards', path), 'utf8')).toBe(text);
  });
});

describe("the rules of Grafana's dashboard linter", () => {
  test.each(PANELS)('$name has a title, a description, a unit and thresholds', ({ panel }) => {
    expect(panel.title).not.toBe('');
    expect(panel.description).toMatch(/\w.*\.$/);
    expect(panel.fieldConfig.defaults.unit).toMatch(/^\w+$/);
    expect(panel.fieldConfig.defaults.thresholds?.steps.length).toBeGreaterThan(0);
  });

  test.each(PANELS)(
    'the queries of $name have the templated datasource, matchers and intervals',
    ({ panel }) => {
      expect(panel.targets.length).toBeGreaterThan(0);
      expect(new Set(panel.targets.map(({ refId }) => refId)).size).toBe(panel.targets.length);
      for (const { expr, datasource, legendFormat } of panel.targets) {
        for (const uid of [datasource.uid, panel.datasource?.uid])
          expect(uid).toMatch(/^\$\{datasource\}$/);
        expect(legendFormat).not.toBe('');
        for (const [selector] of expr.matchAll(/\{[^}]*\}/g)) {
          expect(selector).toContain('job=~"$job"');
          expect(selector).toContain('instance=~"$instance"');
        }
        // A bare name has no matchers at all.
        for (const series of seriesIn(expr)) expect(expr).toContain(`${series}{`);
        for (const [, interval] of expr.matchAll(
          /(?:rate|increase|changes|deriv)\([^[]*\[([^\]]*)\]/g,
        )) {
          expect(interval).toBe('$__rate_interval');
        }
      }
    },
  );

  test.each(MODELS.map((model) => ({ uid: model.uid, model })))(
    '$uid: no id, title or uid twice',
    ({ model }) => {
      const ids = (model.panels ?? []).map(({ id }) => id);
      const titles = panelsOf(model).map(({ title }) => title);
      expect(new Set(ids).size).toBe(ids.length);
      expect(new Set(titles).size).toBe(titles.length);
      expect(new Set(MODELS.map(({ uid }) => uid)).size).toBe(MODELS.length);
    },
  );

  test.each(MODELS.map((model) => ({ uid: model.uid, model })))(
    '$uid: panels do not overlap',
    ({ model }) => {
      const taken = new Set<string>();
      for (const { gridPos } of model.panels ?? []) {
        const { x, y, w, h } = gridPos as { x: number; y: number; w: number; h: number };
        expect(x + w).toBeLessThanOrEqual(24);
        for (let column = x; column < x + w; column++) {
          for (let row = y; row < y + h; row++) {
            expect(taken.has(`${column},${row}`)).toBe(false);
            taken.add(`${column},${row}`);
          }
        }
      }
    },
  );

  test('every dashboard can be told which datasource, job, instance and store', () => {
    for (const { templating, annotations } of MODELS) {
      const names = templating.list?.map(({ name }) => name);
      expect(names).toEqual(
        expect.arrayContaining(['datasource', 'traces', 'job', 'instance', 'store']),
      );
      expect(annotations.list?.map(({ name }) => name)).toEqual([
        'Restarts',
        'Rotations',
        'Compactions',
        'Recoveries',
      ]);
    }
  });
});

describe('metrics and thresholds', () => {
  test('every metric used exists, and every metric exported is used', () => {
    expect(metricFaults()).toEqual([]);
  });

  test('the names of series are told from functions, labels and strings', () => {
    const expr =
      'sum by (job_name) (rate(a_total{x_y="b_c"}[5m])) / on (d_e) group_left x:a_b:c + label_replace(f_g, "h_i")';
    expect(seriesIn(expr)).toEqual(['a_total', 'x:a_b:c', 'f_g']);
  });

  test('a panel turns red at the value at which an alert fires, or at the first of what must not be', () => {
    const values = new Set<number>([...Object.values(THRESHOLDS), 1]);
    for (const { name, panel } of PANELS) {
      for (const { value } of panel.fieldConfig.defaults.thresholds?.steps ?? []) {
        if (value !== null) expect(values, name).toContain(value);
      }
    }
  });

  test('every threshold stands in an alert and, but for the sizes that it needs, on a panel', () => {
    const alerts = ALERT_RULES.map(({ expr }) => expr).join('\n');
    const red = new Set(
      PANELS.flatMap(({ panel }) =>
        panel.fieldConfig.defaults.thresholds?.steps.map(({ value }) => value),
      ),
    );
    for (const [name, value] of Object.entries(THRESHOLDS)) {
      expect(alerts, name).toMatch(new RegExp(`[<>]=? ${String(value).replace('.', '\\.')}\\b`));
      if (name !== 'garbageLeastBytes') expect(red, name).toContain(value);
    }
  });

  test('nothing that Grafana would fill in is left after substitution', () => {
    for (const { expr } of everyExpression()) expect(substitute(expr)).not.toMatch(/\$[a-z_{]/);
  });
});

describe('the check of panels', () => {
  class Answering extends PrometheusApi {
    private readonly answer: readonly Series[];

    constructor(answer: readonly Series[]) {
      super('http://localhost');
      this.answer = answer;
    }

    override async range(): Promise<Series[]> {
      return [...this.answer];
    }
  }
  const span = { fromSeconds: 0, toSeconds: 10 };
  const spec = DASHBOARDS[0];
  const faultsWith = async (answer: readonly Series[], isSick: boolean) =>
    (await queryDashboard(spec, new Answering(answer), span, isSick)).flatMap(
      ({ faults }) => faults,
    );

  test('finds panels that show nothing, NaN or infinity', async () => {
    const series = (value: number): Series[] => [{ labels: {}, points: [[1, value]] }];
    const queries = panelsOf(MODELS[0] as Dashboard).flatMap(({ targets }) => targets).length;
    expect((await faultsWith([], true)).length).toBe(queries);
    expect((await faultsWith(series(Number.NaN), true)).length).toBe(queries);
    expect((await faultsWith(series(Number.POSITIVE_INFINITY), false)).length).toBeGreaterThan(
      queries,
    );
    expect(await faultsWith(series(1), true)).toEqual([]);
  });

  test('lets only those be empty that say so, and only while all is well', async () => {
    const faults = await faultsWith([], false);
    expect(faults.join('\n')).not.toContain('tidemark_operation_errors_total');
    expect(faults.join('\n')).toContain('tidemark_puts_total');
    expect((await faultsWith([], true)).join('\n')).toContain('tidemark_operation_errors_total');
  });
});
