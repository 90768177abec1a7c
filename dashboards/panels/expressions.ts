import { STORE } from './dashboard.ts';

/** PromQL that the panels of the Store dashboard share. */

export const BY = 'by (instance, store)';
export const NAME = '{{store}} {{instance}}';

export function rate(family: string, by = BY, matchers = ''): string {
  return `sum ${by} (rate(${family}{${STORE}${matchers === '' ? '' : `, ${matchers}`}}[$__rate_interval]))`;
}

export function quantiles(operation: string): { expr: string; legend: string }[] {
  const buckets = `sum by (le, instance, store) (rate(tidemark_${operation}_duration_seconds_bucket{${STORE}}[$__rate_interval]))`;
  return [0.5, 0.99, 0.999].map((share) => ({
    expr: `histogram_quantile(${share}, ${buckets})`,
    legend: `p${share * 100} ${NAME}`,
  }));
}

/** The mean of what took place. */
export function mean(operation: string): string {
  const family = `tidemark_${operation}_duration_seconds`;
  return ratio(rate(`${family}_sum`), rate(`${family}_count`));
}

export function recorded(name: string): string {
  return `job_instance_store:tidemark_${name}{${STORE}}`;
}

/** No value where nothing is below the line. */
export function ratio(above: string, below: string): string {
  return `${above} / (${below} > 0)`;
}
