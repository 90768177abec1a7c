import { standardDeviation } from 'simple-statistics';
import type { Metric } from './metrics.ts';

/**
 * What github-action-benchmark reads with `tool: customSmallerIsBetter`: it knows one direction a
 * file, so a rate stands in it as the time of one operation.
 */
export function benchmarkJson(metrics: readonly Metric[], context: string): string {
  const rows = metrics.map(({ name, unit, value, better, samples }) => {
    const range =
      samples.length < 2
        ? {}
        : {
            range: `± ${Number(((100 * standardDeviation([...samples])) / value).toPrecision(2))} %`,
          };
    return better === 'less'
      ? { name, unit, value: rounded(value), ...range, extra: context }
      : {
          name: `us_per_operation`,
          unit: 'us',
          value: rounded(1e6 / value),
          ...range,
          extra: context,
        };
  });
  return `${JSON.stringify(rows, undefined, 2)}\n`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
