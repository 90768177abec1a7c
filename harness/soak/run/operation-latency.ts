export interface OperationLatency {
  readonly operation: LatencyOperation;
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /**
   * Ascending; `count` of those above the bucket before and at most `upToUs`. The counts add up to
   * `count`.
   */
  readonly buckets: readonly { readonly upToUs: number; readonly count: number }[];
}

export type LatencyOperation = 'put' | 'get' | 'delete' | 'sync';
