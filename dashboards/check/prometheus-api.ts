/** Seconds since 1970, and the value. */
export type Point = readonly [number, number];

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly Point[];
}

interface Answer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: {
    readonly result: readonly {
      metric: Record<string, string>;
      values: readonly [number, string][];
    }[];
  };
}

/** The part of Prometheus's HTTP API that a dashboard uses. */
export class PrometheusApi {
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Throws what Prometheus says of a query that it does not understand. */
  async range(
    expr: string,
    fromSeconds: number,
    toSeconds: number,
    stepSeconds: number,
  ): Promise<Series[]> {
    const body = new URLSearchParams({
      query: expr,
      start: String(fromSeconds),
      end: String(toSeconds),
      step: String(stepSeconds),
    });
    const response = await fetch(`${this.url}/api/v1/query_range`, { method: 'POST', body });
    const answer = (await response.json()) as Answer;
    if (answer.status !== 'success') throw new Error(answer.error ?? `status ${response.status}`);
    return (answer.data?.result ?? []).map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([time, value]): Point => [time, Number(value)]),
    }));
  }
}
