export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold before it fires. */
  readonly forSeconds: number;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
}

/** The series of one store. Prometheus adds `job` and `instance`, the probe adds `store`. */
export const BY_STORE = 'by (job, instance, store)';

/** Where a process and a host meet: the `instance` without its port. */
export function withHost(expr: string): string {
  return `label_replace(${expr}, "host", "$1", "instance", "(.*?)(:[0-9]+)?")`;
}

/** PromQL on one line. */
export function promql(
  strings: TemplateStringsArray,
  ...values: readonly (string | number)[]
): string {
  return String.raw({ raw: strings }, ...values)
    .trim()
    .replace(/\s+/g, ' ');
}
