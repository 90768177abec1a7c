import { BY_STORE, promql, type RecordingRule, withHost } from './rule.ts';

/** Names as the mixins have them: what is left of the labels, the metric, the operation. */
const rule = (record: string, expr: string): RecordingRule => ({ record, expr });

const rate = (name: string) =>
  rule(
    `job_instance_store:tidemark_${name}:rate5m`,
    `sum ${BY_STORE} (rate(tidemark_${name}_total[5m]))`,
  );

const p99 = (operation: string) => {
  const buckets = `sum by (job, instance, store, le) (rate(tidemark_${operation}_duration_seconds_bucket[5m]))`;
  return rule(
    `job_instance_store:tidemark_${operation}_duration_seconds:p99_5m`,
    `histogram_quantile(0.99, ${buckets})`,
  );
};

/** File systems on which a store may lie. */
const AVAILABLE =
  'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|autofs|nsfs", mountpoint!~"/boot.*"}';

/**
 * Takes the file system that has the least on a store's host. The store does not say on which one
 * it lies.
 */
const leastOnHost = (expr: string) =>
  promql`
    group by (job, instance, host) (${withHost('tidemark_keys')})
    * on (host) group_left min by (host) (${withHost(expr)})`;

/** 0 where none was: the series begins with the first. */
const RECOVERED = promql`
  (sum ${BY_STORE} (increase(tidemark_recoveries_total{outcome="recovered"}[1h]))
   or 0 * sum ${BY_STORE} (tidemark_keys))`;

export const RECORDING_RULES: readonly RecordingRule[] = [
  rate('gets'),
  rate('puts'),
  rate('deletes'),
  rate('syncs'),
  rate('operation_errors'),
  p99('get'),
  p99('put'),
  p99('sync'),
  rule(
    'job_instance_store:tidemark_garbage:ratio',
    promql`
      sum ${BY_STORE} (tidemark_segment_bytes{kind="dead"})
      / (sum ${BY_STORE} (tidemark_segment_bytes) > 0)`,
  ),
  // Before the first sync there is no time to count from; the alert looks at that case by itself.
  rule(
    'job_instance_store:tidemark_durable_lag_seconds:current',
    promql`
      (time() - (tidemark_last_sync_timestamp_seconds > 0)) * (tidemark_unsynced_bytes > bool 0)`,
  ),
  rule(
    'job_instance_store:tidemark_write_stall:ratio_rate5m',
    `sum ${BY_STORE} (rate(tidemark_write_stall_duration_seconds_sum[5m]))`,
  ),
  rule(
    'job_instance_store:tidemark_write_amplification:ratio_rate5m',
    promql`
      (sum ${BY_STORE} (rate(tidemark_appended_bytes_total[5m]))
       + sum ${BY_STORE} (rate(tidemark_compaction_bytes_total{direction="written"}[5m])))
      / (sum ${BY_STORE} (rate(tidemark_user_bytes_total[5m])) > 0)`,
  ),
  // An opening is over before the first scrape, so its rate is never seen: this is the mean of the
  // process's openings.
  rule(
    'job_instance_store:tidemark_recovery_duration_seconds:mean',
    promql`
      sum ${BY_STORE} (tidemark_recovery_duration_seconds_sum)
      / (sum ${BY_STORE} (tidemark_recovery_duration_seconds_count) > 0)`,
  ),
  // Likewise: a process that starts again shows the same count as before, so its starts are counted
  // instead.
  rule(
    'job_instance_store:tidemark_recoveries:increase1h',
    promql`
      ${RECOVERED}
      + on (job, instance) group_left sum by (job, instance) (changes(process_start_time_seconds[1h]))
      or ${RECOVERED}`,
  ),
  rule(
    'job_instance_store:tidemark_spans_dropped:ratio_rate5m',
    promql`
      sum ${BY_STORE} (rate(tidemark_spans_total{disposition="budget"}[5m]))
      / (sum ${BY_STORE} (rate(tidemark_spans_total{disposition=~"budget|emitted"}[5m])) > 0)
      or 0 * sum ${BY_STORE} (tidemark_keys)`,
  ),
  // The lowest of the last minutes over the lowest of the last hours: a burst is no leak.
  rule(
    'job_instance_store:tidemark_open_fds:growth2h',
    `min_over_time(tidemark_open_fds[10m]) - min_over_time(tidemark_open_fds[2h])`,
  ),
  // A few minutes of warming up, or of a disk being filled, say nothing of the hours to come: 0,
  // and what is left now.
  rule(
    'job_instance:tidemark_process_memory_bytes:slope1h',
    promql`
      3600 * (sum by (job, instance) (deriv(process_resident_memory_bytes[1h]))
      - on (job, instance) sum by (job, instance) (deriv(tidemark_keydir_bytes[1h])))
      and on (job, instance) process_resident_memory_bytes offset 30m
      or 0 * sum by (job, instance) (tidemark_keydir_bytes)`,
  ),
  rule('job_instance:tidemark_host_disk_available_bytes:min', leastOnHost(AVAILABLE)),
  rule(
    'job_instance:tidemark_host_disk_available_bytes:predict1d',
    leastOnHost(promql`
      (predict_linear(${AVAILABLE}[6h], 86400) and ${AVAILABLE} offset 30m or ${AVAILABLE})`),
  ),
];
