import {
  NOT_TIMED,
  type OperationKind,
  type Probe,
  type ProbeSource,
  type ReadSite,
  type RefusedKind,
  type StoreError,
} from '../engine/index.ts';
import { DurationHistogram } from './duration-histogram.ts';
import { SPAN_DISPOSITIONS, SPAN_KINDS, type SpanCounting } from './span-counts.ts';

/** A value of a family with its labels, `store` left out. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | DurationHistogram;
}

/**
 * One get in so many is timed, and its parts: it stands for those since the last. A prime, so that
 * of a load that goes round in a few steps no step is left out.
 */
const TIMED_ONE_IN = 17;

const SITES: readonly ReadSite[] = ['get', 'scan', 'compact', 'verify', 'seal'];
const GET = 0;

/**
 * What an operator waits for, and no more: every operation with every code would be hundreds of
 * series a store. Any other pair appears when it happens.
 */
const FORESEEN_FAILURES = [
  ...['get', 'getMany'].flatMap((operation) =>
    ['READ_FAILED', 'CRC_MISMATCH', 'FRAME_MISMATCH'].map((code) => [operation, code]),
  ),
  ...['put', 'delete', 'batch'].flatMap((operation) =>
    ['WRITE_FAILED', 'WRITER_POISONED'].map((code) => [operation, code]),
  ),
  ...['SYNC_FAILED', 'WRITER_POISONED'].map((code) => ['sync', code]),
];

/**
 * Counts one store's events in numbers and typed arrays; nothing is made for Prometheus before it
 * asks. A counter with open labels (an error code) is a small map, touched only when something
 * fails.
 */
export class StoreMetrics implements Probe {
  private source: ProbeSource | undefined;
  private begunGets = 0;
  private hits = 0;
  private misses = 0;
  private puts = 0;
  private deletes = 0;
  private writes = 0;
  private appendedBytes = 0;
  private userBytes = 0;
  private syncs = 0;
  private syncWaiters = 0;
  private rotations = 0;
  private truncatedBytes = 0;
  private leaseLosses = 0;
  private compactionRead = 0;
  private compactionWritten = 0;
  private verifiedBytes = 0;
  private backupLinked = 0;
  private backupCopied = 0;
  private readonly preads = new Float64Array(SITES.length);
  private readonly preadBytes = new Float64Array(SITES.length);
  private readonly held = new Float64Array(SITES.length);
  private readonly mismatched = new Float64Array(SITES.length);
  private readonly failures = new LabelledCounter(['operation', 'code'], FORESEEN_FAILURES);
  private readonly stalls = new LabelledCounter(
    ['reason'],
    [['rotation'], ['unsynced-records'], ['compaction']],
  );
  private readonly seals = new LabelledCounter(['outcome'], [['ok'], ['failed'], ['given_up']]);
  private readonly compactions = new LabelledCounter(
    ['outcome'],
    [['ok'], ['aborted'], ['failed']],
  );
  private readonly verifications = new LabelledCounter(
    ['outcome'],
    [['ok'], ['damaged'], ['aborted'], ['failed']],
  );
  private readonly backups = new LabelledCounter(['outcome'], [['ok'], ['failed']]);
  private readonly corruptions = new LabelledCounter(
    ['kind'],
    [['CRC_MISMATCH'], ['FRAME_MISMATCH']],
  );
  private readonly recoveries = new LabelledCounter(
    ['outcome'],
    [['created'], ['clean'], ['recovered'], ['snapshot'], ['failed']],
  );
  private readonly getTime = new DurationHistogram();
  private readonly putTime = new DurationHistogram();
  private readonly preadTime = new DurationHistogram();
  private readonly crcTime = new DurationHistogram();
  private readonly syncTime = new DurationHistogram();
  private readonly recoveryTime = new DurationHistogram();
  private readonly compactionTime = new DurationHistogram();
  private readonly stallTime = new DurationHistogram();

  /** The store's name; undefined while this is attached to none. */
  get storeName(): string | undefined {
    return this.source?.name;
  }

  /** Undefined while no store is open. */
  get poisonedNow(): boolean | undefined {
    return this.source?.gauges()?.poisoned;
  }

  attach(source: ProbeSource): void {
    this.source = source;
  }

  detach(): void {
    this.source = undefined;
  }

  began(_operation: number, kind: OperationKind): boolean {
    return kind === 'get' && this.begunGets++ % TIMED_ONE_IN === 0;
  }

  got(
    _operation: number,
    hit: boolean,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    if (hit) this.hits++;
    else if (error === undefined) this.misses++;
    else this.failures.add(1, 'get', codeOf(error));
    if (durationNs !== NOT_TIMED)
      this.getTime.observe(durationNs, this.begunGets - this.getTime.count);
  }

  gotMany(
    _operation: number,
    hits: number,
    misses: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.hits += hits;
    if (error === undefined) this.misses += misses;
    else this.failures.add(1, 'getMany', codeOf(error));
  }

  appended(
    _operation: number,
    kind: 'put' | 'delete' | 'append',
    frameBytes: number,
    userBytes: number,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.putTime.observe(durationNs);
    if (error !== undefined) {
      this.failures.add(1, kind, codeOf(error));
      return;
    }
    if (kind === 'put') this.puts++;
    else if (kind === 'delete') this.deletes++;
    this.appendedBytes += frameBytes;
    this.userBytes += userBytes;
  }

  batched(
    _operation: number,
    puts: number,
    deletes: number,
    frameBytes: number,
    userBytes: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.puts += puts;
    this.deletes += deletes;
    this.appendedBytes += frameBytes;
    this.userBytes += userBytes;
    if (error !== undefined) this.failures.add(1, 'batch', codeOf(error));
  }

  synced(
    _operation: number,
    waiters: number,
    _sizeBytes: number,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.syncTime.observe(durationNs);
    if (error !== undefined) {
      this.failures.add(1, 'sync', codeOf(error));
      return;
    }
    this.syncs++;
    this.syncWaiters += waiters;
  }

  scanned(
    _operation: number,
    _records: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    if (error !== undefined) this.failures.add(1, 'scan', codeOf(error));
  }

  compacted(
    _operation: number,
    outcome: string,
    inputBytes: number,
    outputBytes: number,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.compactions.add(1, outcome);
    this.compactionRead += inputBytes;
    this.compactionWritten += outputBytes;
    this.compactionTime.observe(durationNs);
    if (error !== undefined) this.failures.add(1, 'compact', codeOf(error));
  }

  sealed(
    _operation: number,
    _segmentId: number,
    sealBytes: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.seals.add(1, error !== undefined ? 'failed' : sealBytes > 0 ? 'ok' : 'given_up');
    if (error !== undefined) this.failures.add(1, 'seal', codeOf(error));
  }

  verified(
    _operation: number,
    outcome: string,
    _records: number,
    scannedBytes: number,
    _damagedRanges: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.verifications.add(1, outcome);
    this.verifiedBytes += scannedBytes;
    if (error !== undefined) this.failures.add(1, 'verify', codeOf(error));
  }

  backedUp(
    _operation: number,
    linkedBytes: number,
    copiedBytes: number,
    _startNs: number,
    _durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.backups.add(1, error === undefined ? 'ok' : 'failed');
    this.backupLinked += linkedBytes;
    this.backupCopied += copiedBytes;
    if (error !== undefined) this.failures.add(1, 'backup', codeOf(error));
  }

  opened(
    _operation: number,
    outcome: string,
    truncatedBytes: number,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.recoveries.add(1, outcome);
    this.truncatedBytes += truncatedBytes;
    this.recoveryTime.observe(durationNs);
    if (error !== undefined) this.failures.add(1, 'open', codeOf(error));
  }

  read(
    _operation: number,
    site: ReadSite,
    _segmentId: number,
    _offset: number,
    sizeBytes: number,
    _startNs: number,
    durationNs: number,
  ): void {
    const index = indexOf(site);
    const preads = (this.preads[index] as number) + 1;
    this.preads[index] = preads;
    this.preadBytes[index] = (this.preadBytes[index] as number) + sizeBytes;
    if (durationNs !== NOT_TIMED && index === GET)
      this.preadTime.observe(durationNs, preads - this.preadTime.count);
  }

  wrote(): void {
    this.writes++;
  }

  crcValidated(
    _operation: number,
    site: ReadSite,
    ok: boolean,
    _sizeBytes: number,
    _startNs: number,
    durationNs: number,
  ): void {
    const index = indexOf(site);
    const counts = ok ? this.held : this.mismatched;
    counts[index] = (counts[index] as number) + 1;
    if (durationNs === NOT_TIMED || index !== GET) return;
    const validations = (this.held[GET] as number) + (this.mismatched[GET] as number);
    this.crcTime.observe(durationNs, validations - this.crcTime.count);
  }

  writeStalled(reason: string, _startNs: number, durationNs: number): void {
    this.stalls.add(1, reason);
    this.stallTime.observe(durationNs);
  }

  rotated(): void {
    this.rotations++;
  }

  corrupted(error: StoreError): void {
    this.corruptions.add(1, error.code);
  }

  refused(kind: RefusedKind, error: StoreError): void {
    this.failures.add(1, kind, codeOf(error));
  }

  leaseLost(): void {
    this.leaseLosses++;
  }

  /** The samples of a family, by its name without `tidemark_`. */
  samplesOf(family: string): readonly Sample[] {
    return this.counters(family) ?? this.gauges(family) ?? this.histograms(family) ?? [];
  }

  private counters(family: string): readonly Sample[] | undefined {
    switch (family) {
      case 'gets_total':
        return [labelled({ result: 'hit' }, this.hits), labelled({ result: 'miss' }, this.misses)];
      case 'puts_total':
        return [plain(this.puts)];
      case 'deletes_total':
        return [plain(this.deletes)];
      case 'operation_errors_total':
        return this.failures.samples();
      case 'preads_total':
        return SITES.map((site, index) => labelled({ site }, this.preads[index] as number));
      case 'pread_bytes_total':
        return SITES.map((site, index) => labelled({ site }, this.preadBytes[index] as number));
      case 'crc_validations_total':
        return SITES.flatMap((site, index) => [
          labelled({ site, outcome: 'ok' }, this.held[index] as number),
          labelled({ site, outcome: 'mismatch' }, this.mismatched[index] as number),
        ]);
      case 'writes_total':
        return [plain(this.writes)];
      case 'appended_bytes_total':
        return [plain(this.appendedBytes)];
      case 'user_bytes_total':
        return [plain(this.userBytes)];
      case 'syncs_total':
        return [plain(this.syncs)];
      case 'sync_waiters_total':
        return [plain(this.syncWaiters)];
      case 'write_stalls_total':
        return this.stalls.samples();
      case 'rotations_total':
        return [plain(this.rotations)];
      case 'seals_total':
        return this.seals.samples();
      case 'compactions_total':
        return this.compactions.samples();
      case 'compaction_bytes_total':
        return [
          labelled({ direction: 'read' }, this.compactionRead),
          labelled({ direction: 'written' }, this.compactionWritten),
        ];
      case 'verifications_total':
        return this.verifications.samples();
      case 'verified_bytes_total':
        return [plain(this.verifiedBytes)];
      case 'backups_total':
        return this.backups.samples();
      case 'backup_bytes_total':
        return [
          labelled({ way: 'linked' }, this.backupLinked),
          labelled({ way: 'copied' }, this.backupCopied),
        ];
      case 'corruptions_total':
        return this.corruptions.samples();
      case 'truncated_bytes_total':
        return [plain(this.truncatedBytes)];
      case 'recoveries_total':
        return this.recoveries.samples();
      case 'fd_pool_hits_total':
        return [plain(this.source?.gauges()?.poolHits ?? 0)];
      case 'fd_pool_misses_total':
        return [plain(this.source?.gauges()?.poolMisses ?? 0)];
      case 'fd_pool_evictions_total':
        return [plain(this.source?.gauges()?.poolEvictions ?? 0)];
      case 'lease_losses_total':
        return [plain(this.leaseLosses)];
      case 'spans_total':
        return this.spans();
      case 'probe_errors_total':
        return [plain(this.source?.gauges()?.probeErrors ?? 0)];
      default:
        return undefined;
    }
  }

  /** State is asked of the store when it is scraped; a store that is not open has none. */
  private gauges(family: string): readonly Sample[] | undefined {
    const now = this.source?.gauges();
    if (now === undefined) return undefined;
    switch (family) {
      case 'keys':
        return [plain(now.keys)];
      case 'keydir_bytes':
        return [plain(now.keydirBytes)];
      case 'open_fds':
        return [plain(now.openDescriptors)];
      case 'poisoned':
        return [plain(now.poisoned ? 1 : 0)];
      case 'kernel_lock':
        return now.kernelLock === undefined ? undefined : [plain(now.kernelLock ? 1 : 0)];
      case 'segments':
        return [
          labelled({ state: 'active' }, 1),
          labelled({ state: 'sealed' }, now.sealedSegments),
        ];
      case 'segment_bytes':
        return [
          labelled({ kind: 'live' }, now.liveBytes),
          labelled({ kind: 'dead' }, now.segmentBytes - now.liveBytes),
        ];
      case 'unsynced_bytes':
        return [plain(now.unsyncedBytes)];
      case 'unsynced_records':
        return [plain(now.unsyncedRecords)];
      case 'sync_waiting':
        return [plain(now.syncWaiters)];
      case 'last_sync_timestamp_seconds':
        return [plain((now.lastSyncedAtMs ?? 0) / 1000)];
      default:
        return undefined;
    }
  }

  private histograms(family: string): readonly Sample[] | undefined {
    const histogram = {
      get_duration_seconds: this.getTime,
      put_duration_seconds: this.putTime,
      pread_duration_seconds: this.preadTime,
      crc_validate_duration_seconds: this.crcTime,
      sync_duration_seconds: this.syncTime,
      recovery_duration_seconds: this.recoveryTime,
      compaction_duration_seconds: this.compactionTime,
      write_stall_duration_seconds: this.stallTime,
    }[family];
    return histogram === undefined ? undefined : [{ labels: {}, value: histogram }];
  }

  private spans(): readonly Sample[] {
    const counting = (this.source?.probes ?? []).filter(
      (probe): probe is SpanCounting => 'spanCounts' in probe,
    );
    return SPAN_KINDS.flatMap((span) =>
      SPAN_DISPOSITIONS.map((disposition) =>
        labelled(
          { span, disposition },
          counting.reduce((sum, { spanCounts }) => sum + spanCounts[span][disposition], 0),
        ),
      ),
    );
  }
}

class LabelledCounter {
  private readonly names: readonly string[];
  private readonly values = new Map<
    string,
    { readonly labels: Record<string, string>; value: number }
  >();

  /**
   * The values that can be foreseen stand at 0 from the start: of a counter that begins at 1,
   * `rate` misses the first.
   */
  constructor(names: readonly string[], foreseen: readonly (readonly string[])[]) {
    this.names = names;
    for (const labels of foreseen) this.add(0, ...labels);
  }

  add(count: number, ...labels: string[]): void {
    const key = labels.join('\0');
    const entry = this.values.get(key);
    if (entry !== undefined) {
      entry.value += count;
      return;
    }
    const named = Object.fromEntries(
      this.names.map((name, index) => [name, labels[index] as string]),
    );
    this.values.set(key, { labels: named, value: count });
  }

  samples(): readonly Sample[] {
    return [...this.values.values()];
  }
}

function plain(value: number): Sample {
  return { labels: {}, value };
}

function labelled(labels: Record<string, string>, value: number): Sample {
  return { labels, value };
}

/**
 * A comparison first: nearly all reads are of gets, and a lookup by a name that varies costs as
 * much as all the rest.
 */
function indexOf(site: ReadSite): number {
  return site === 'get' ? GET : SITES.indexOf(site);
}

/** Misuse that reached the engine is no `StoreError` and has no code. */
function codeOf(error: StoreError): string {
  return error.code ?? error.name;
}
