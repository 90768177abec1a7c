import type { Comparison } from './comparison.ts';
import { type Result, ratiosOf, typicalOf, valuesOf } from './result.ts';

/**
 * One entry of the `customSmallerIsBetter` tool of
 * https://github.com/benchmark-action/github-action-benchmark.
 */
export interface ActionBenchmarkEntry {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly range?: string;
  readonly extra?: string;
}

export function actionBenchmarkOf(result: Result): ActionBenchmarkEntry[] {
  const times = result.rows.map((row) => {
    const values = valuesOf(row);
    const value = typicalOf(row);
    const spread = (Math.max(...values) - Math.min(...values)) / 2;
    const ratios = ratiosOf(row, result.rows);
    return {
      name: row.name,
      unit: row.unit === 'ns' ? 'ns/op' : 'bytes',
      value: round(value),
      range: `± ${round(spread)}`,
      extra: `${values.length} samples of ${row.launches.length} processes${ratios === undefined ? '' : `, floor ${row.floorId}`}`,
    };
  });
  return [...times, ...result.counts.map(({ name, value }) => ({ name, unit: 'count', value }))];
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The head's values, with what the comparison says of each. */
export function actionBenchmarkOfComparison({ rows, counts }: Comparison): ActionBenchmarkEntry[] {
  const times = rows.map(({ name, unit, base, head, judged }) => ({
    name,
    unit: unit === 'ns' ? 'ns/op' : 'bytes',
    value: round(head),
    extra: `base ${round(base)}: ${judged?.word ?? 'not judged'}`,
  }));
  const known = counts.flatMap(({ name, base, head, word }) =>
    head === undefined
      ? []
      : [{ name, unit: 'count', value: head, extra: `base ${base}: ${word}` }],
  );
  return [...times, ...known];
}
