import { THRESHOLDS } from '../panels/thresholds.ts';
import { type AlertRule, BY_STORE, promql } from './rule.ts';

const MINUTE = 60;
const WHO = '{{ $labels.store }} on {{ $labels.instance }}';

export const ALERT_RULES: readonly AlertRule[] = [
  {
    alert: 'TidemarkStoreDown',
    // `up` still there: the target is known, so this is no store that was taken away on purpose.
    expr: promql`
      group ${BY_STORE} (last_over_time(tidemark_keys[1d]))
      unless on (job, instance, store) tidemark_keys
      and on (job, instance) up`,
    forSeconds: 5 * MINUTE,
    severity: 'critical',
    summary: `${WHO} is gone`,
    description:
      'The store was open within the last day, and neither it nor its process answers a scrape now.',
  },
  {
    alert: 'TidemarkCorruption',
    // The value, not its increase: a counter that begins at 1 has not increased, and damage does
    // not go away by itself.
    expr: `sum by (job, instance, store, kind) (tidemark_corruptions_total) > 0`,
    forSeconds: 0,
    severity: 'critical',
    summary: `${WHO} met damage: {{ $labels.kind }}`,
    description:
      'A read or an opening found {{ $value }} times that the bytes on disk are not those that were written.',
  },
  {
    alert: 'TidemarkWriterPoisoned',
    expr: `max ${BY_STORE} (tidemark_poisoned) > 0`,
    forSeconds: 0,
    severity: 'critical',
    summary: `${WHO} refuses to write`,
    description:
      'A write or a sync failed. Reads go on; every write fails until the store is reopened.',
  },
  {
    alert: 'TidemarkSyncSlow',
    expr: `job_instance_store:tidemark_sync_duration_seconds:p99_5m > ${THRESHOLDS.syncP99Seconds}`,
    forSeconds: 10 * MINUTE,
    severity: 'warning',
    summary: `${WHO} syncs slowly`,
    description: 'One sync in a hundred takes {{ $value | humanizeDuration }} or longer.',
  },
  {
    alert: 'TidemarkDurableLagGrowing',
    expr: promql`
      job_instance_store:tidemark_durable_lag_seconds:current > ${THRESHOLDS.durableLagSeconds}
      or (tidemark_unsynced_bytes > 0)
        and (tidemark_unsynced_bytes offset ${THRESHOLDS.durableLagSeconds}s > 0)
        and (tidemark_last_sync_timestamp_seconds == 0)`,
    forSeconds: MINUTE,
    severity: 'warning',
    summary: `${WHO} is not being synced`,
    description: `For more than ${THRESHOLDS.durableLagSeconds / MINUTE} minutes, what was written would not survive a power cut.`,
  },
  {
    alert: 'TidemarkGarbageHigh',
    expr: promql`
      job_instance_store:tidemark_garbage:ratio > ${THRESHOLDS.garbageRatio}
      and on (job, instance, store) sum ${BY_STORE} (tidemark_segment_bytes) > ${THRESHOLDS.garbageLeastBytes}
      and on (job, instance, store) deriv(job_instance_store:tidemark_garbage:ratio[30m]) >= 0`,
    forSeconds: 30 * MINUTE,
    severity: 'warning',
    summary: `${WHO} is mostly garbage`,
    description:
      '{{ $value | humanizePercentage }} of the bytes on disk are dead, and the share is not falling.',
  },
  {
    alert: 'TidemarkDiskFullSoon',
    expr: promql`
      job_instance:tidemark_host_disk_available_bytes:predict1d < ${THRESHOLDS.diskAvailableBytes}`,
    forSeconds: 60 * MINUTE,
    severity: 'critical',
    summary: 'A file system of {{ $labels.host }} is full within a day',
    description: 'By the last six hours, it will lack {{ $value | humanize1024 }}B a day from now.',
  },
  {
    alert: 'TidemarkDescriptorLeak',
    expr: `job_instance_store:tidemark_open_fds:growth2h > ${THRESHOLDS.descriptorGrowth}`,
    forSeconds: 30 * MINUTE,
    severity: 'warning',
    summary: `${WHO} holds more and more files`,
    description: 'It never holds fewer than {{ $value }} more than two hours ago.',
  },
  {
    alert: 'TidemarkMemoryGrowing',
    expr: promql`
      job_instance:tidemark_process_memory_bytes:slope1h > ${THRESHOLDS.memorySlopeBytesPerHour}`,
    forSeconds: 120 * MINUTE,
    severity: 'warning',
    summary: 'The process {{ $labels.instance }} grows',
    description:
      'Beyond what its keydirs explain, it grows by {{ $value | humanize1024 }}B an hour.',
  },
  {
    alert: 'TidemarkWriteStalls',
    expr: `job_instance_store:tidemark_write_stall:ratio_rate5m > ${THRESHOLDS.writeStallRatio}`,
    forSeconds: 10 * MINUTE,
    severity: 'warning',
    summary: `${WHO} makes writers wait`,
    description:
      'Writes stand still for {{ $value | humanizePercentage }} of the time, until a sync has ended.',
  },
  {
    alert: 'TidemarkRecoverySlow',
    expr: `job_instance_store:tidemark_recovery_duration_seconds:mean > ${THRESHOLDS.recoverySeconds}`,
    forSeconds: 0,
    severity: 'warning',
    summary: `${WHO} opens slowly`,
    description: 'Opening takes {{ $value | humanizeDuration }}.',
  },
  {
    alert: 'TidemarkRecoveryRepeated',
    expr: promql`
      job_instance_store:tidemark_recoveries:increase1h >= ${THRESHOLDS.recoveriesPerHour}
      and on (job, instance, store) sum ${BY_STORE} (tidemark_recoveries_total{outcome="recovered"}) > 0`,
    forSeconds: 0,
    severity: 'warning',
    summary: `${WHO} keeps being killed`,
    description:
      'It was opened {{ $value | humanize }} times within an hour without having been closed in order.',
  },
  {
    alert: 'TidemarkSpansDropped',
    expr: `job_instance_store:tidemark_spans_dropped:ratio_rate5m > ${THRESHOLDS.spanDropRatio}`,
    forSeconds: 10 * MINUTE,
    severity: 'warning',
    summary: `${WHO} leaves spans out`,
    description: '{{ $value | humanizePercentage }} of the spans asked for are over the budget.',
  },
];
