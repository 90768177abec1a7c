/**
 * One situation in which an alert fires, or does not. Series in the notation of promtool, one value
 * a minute.
 */
export interface AlertCase {
  readonly alert: string;
  readonly when: string;
  readonly fires: boolean;
  readonly atMinutes: number;
  readonly series: Readonly<Record<string, string>>;
}

const STORE = 'job="app", instance="host:9464", store="s"';
const PROCESS = 'job="app", instance="host:9464"';

const buckets = (fast: string, all: string) => ({
  [`tidemark_sync_duration_seconds_bucket{${STORE}, le="0.1"}`]: fast,
  [`tidemark_sync_duration_seconds_bucket{${STORE}, le="1"}`]: all,
  [`tidemark_sync_duration_seconds_bucket{${STORE}, le="+Inf"}`]: all,
});

const segments = (dead: string, live: string) => ({
  [`tidemark_segment_bytes{${STORE}, kind="dead"}`]: dead,
  [`tidemark_segment_bytes{${STORE}, kind="live"}`]: live,
});

const lag = (unsyncedBytes: string, lastSync: string) => ({
  [`tidemark_unsynced_bytes{${STORE}}`]: unsyncedBytes,
  [`tidemark_last_sync_timestamp_seconds{${STORE}}`]: lastSync,
});

const disk = (host: string, available: string) => ({
  [`tidemark_keys{${STORE}}`]: '1x800',
  [`node_filesystem_avail_bytes{job="node", instance="${host}:9100", fstype="ext4", mountpoint="/"}`]:
    available,
});

const memory = (rss: string, keydir: string) => ({
  [`process_resident_memory_bytes{${PROCESS}}`]: rss,
  [`tidemark_keydir_bytes{${STORE}}`]: keydir,
});

const recovery = (outcome: string, starts: string) => ({
  [`tidemark_keys{${STORE}}`]: '1x60',
  [`tidemark_recoveries_total{${STORE}, outcome="${outcome}"}`]: '1x60',
  [`process_start_time_seconds{${PROCESS}}`]: starts,
});

const opening = (seconds: string) => ({
  [`tidemark_recovery_duration_seconds_sum{${STORE}}`]: seconds,
  [`tidemark_recovery_duration_seconds_count{${STORE}}`]: '2x10',
});

const spans = (budget: string) => ({
  [`tidemark_spans_total{${STORE}, span="pread", disposition="budget"}`]: budget,
  [`tidemark_spans_total{${STORE}, span="pread", disposition="emitted"}`]: '0+1000x30',
});

const up = (keys: string, answers: string) => ({
  [`tidemark_keys{${STORE}}`]: keys,
  [`up{${PROCESS}}`]: answers,
});

const one = (name: string, labels: string, values: string) => ({
  [`${name}{${STORE}${labels}}`]: values,
});

const firing = (
  alert: string,
  when: string,
  atMinutes: number,
  series: AlertCase['series'],
): AlertCase => ({
  alert,
  when,
  fires: true,
  atMinutes,
  series,
});

const quiet = (
  alert: string,
  when: string,
  atMinutes: number,
  series: AlertCase['series'],
): AlertCase => ({
  ...firing(alert, when, atMinutes, series),
  fires: false,
});

export const ALERT_CASES: readonly AlertCase[] = [
  firing('TidemarkStoreDown', 'its process does not answer', 25, up('1x10 _x20', '1x10 0x20')),
  firing('TidemarkStoreDown', 'its process answers without it', 25, up('1x10 _x20', '1x30')),
  quiet('TidemarkStoreDown', 'it is there', 25, up('1x30', '1x30')),
  quiet('TidemarkStoreDown', 'its target was taken away', 25, up('1x10 _x20', '1x10 _x20')),

  firing(
    'TidemarkCorruption',
    'damage was met for the first time',
    6,
    one('tidemark_corruptions_total', ', kind="CRC_MISMATCH"', '_x5 1x5'),
  ),
  quiet(
    'TidemarkCorruption',
    'none was met',
    6,
    one('tidemark_corruptions_total', ', kind="CRC_MISMATCH"', '0x10'),
  ),

  firing(
    'TidemarkWriterPoisoned',
    'writing has stopped',
    6,
    one('tidemark_poisoned', '', '0x5 1x5'),
  ),
  quiet(
    'TidemarkWriterPoisoned',
    'it was reopened',
    9,
    one('tidemark_poisoned', '', '0x2 1x3 0x5'),
  ),

  firing('TidemarkSyncSlow', 'every tenth sync takes long', 20, buckets('0+54x30', '0+60x30')),
  quiet('TidemarkSyncSlow', 'syncs are fast', 20, buckets('0+60x30', '0+60x30')),
  quiet(
    'TidemarkSyncSlow',
    'they were slow for a minute',
    20,
    buckets('0+60x10 600x1 660+60x18', '0+60x30'),
  ),

  firing('TidemarkDurableLagGrowing', 'the last sync is long ago', 8, lag('100x30', '1x30')),
  firing('TidemarkDurableLagGrowing', 'nobody ever syncs', 10, lag('100x30', '0x30')),
  quiet('TidemarkDurableLagGrowing', 'everything is durable', 20, lag('0x30', '1x30')),
  quiet('TidemarkDurableLagGrowing', 'it is synced every minute', 20, lag('100x30', '1+60x30')),

  firing(
    'TidemarkGarbageHigh',
    'most of it is dead, and stays',
    90,
    segments('800000000x120', '100000000x120'),
  ),
  quiet(
    'TidemarkGarbageHigh',
    'the share is falling',
    60,
    segments('800000000-5000000x120', '100000000x120'),
  ),
  quiet('TidemarkGarbageHigh', 'the store is small', 90, segments('8000x120', '1000x120')),
  quiet(
    'TidemarkGarbageHigh',
    'most of it is live',
    90,
    segments('100000000x120', '800000000x120'),
  ),

  firing(
    'TidemarkDiskFullSoon',
    'it loses 144 GB a day and has 88',
    120,
    disk('host', '100000000000-100000000x800'),
  ),
  quiet('TidemarkDiskFullSoon', 'it loses little', 120, disk('host', '100000000000-1000000x800')),
  quiet(
    'TidemarkDiskFullSoon',
    'another host fills',
    120,
    disk('other', '100000000000-100000000x800'),
  ),

  firing(
    'TidemarkDescriptorLeak',
    'one more a minute',
    180,
    one('tidemark_open_fds', '', '20x60 20+1x140'),
  ),
  quiet(
    'TidemarkDescriptorLeak',
    'the pool fills',
    90,
    one('tidemark_open_fds', '', '5x30 21x140'),
  ),
  quiet(
    'TidemarkDescriptorLeak',
    'a burst',
    180,
    one('tidemark_open_fds', '', '20x150 200x5 20x45'),
  ),

  firing(
    'TidemarkMemoryGrowing',
    'it grows by 60 MB an hour',
    200,
    memory('100000000+1000000x300', '1000000x300'),
  ),
  quiet(
    'TidemarkMemoryGrowing',
    'its keys explain it',
    200,
    memory('100000000+1000000x300', '1000000+1000000x300'),
  ),
  quiet(
    'TidemarkMemoryGrowing',
    'it is warm',
    200,
    memory('50000000+2000000x30 110000000x270', '1000000x300'),
  ),

  firing(
    'TidemarkWriteStalls',
    'half of the time',
    20,
    one('tidemark_write_stall_duration_seconds_sum', '', '0+30x30'),
  ),
  quiet(
    'TidemarkWriteStalls',
    'a second a minute',
    20,
    one('tidemark_write_stall_duration_seconds_sum', '', '0+1x30'),
  ),

  firing('TidemarkRecoverySlow', '45 seconds each', 5, opening('90x10')),
  quiet('TidemarkRecoverySlow', 'a second each', 5, opening('2x10')),

  firing(
    'TidemarkRecoveryRepeated',
    'killed three times',
    40,
    recovery('recovered', '100x9 200x9 300x9 400x30'),
  ),
  quiet('TidemarkRecoveryRepeated', 'killed once', 40, recovery('recovered', '100x9 200x50')),
  quiet(
    'TidemarkRecoveryRepeated',
    'deployed three times',
    40,
    recovery('clean', '100x9 200x9 300x9 400x30'),
  ),

  firing('TidemarkSpansDropped', 'half of them', 20, spans('0+1000x30')),
  quiet('TidemarkSpansDropped', 'one in a thousand', 20, spans('0+1x30')),
];
