import {
  NOT_TIMED,
  type OperationKind,
  type Probe,
  type ProbeGauges,
  type ProbeSource,
  type ReadSite,
  type StoreError,
  type StoreEvent,
} from '../engine/index.ts';
import { DurationHistogram, type TraceIds } from './duration-histogram.ts';
import { LabelledCounter } from './samples.ts';
import type { SpanCounting } from './span-counts.ts';

/**
 * One get in so many is timed, and its parts: it stands for those since the last. A prime, so that
 * of a load that goes round in a few steps no step is left out.
 */
const TIMED_ONE_IN = 17;

/** What a segment is read for. The counts of a site stand at its index. */
export const SITES: readonly ReadSite[] = ['get', 'scan', 'compact', 'verify', 'seal'];
const GET = 0;

/**
 * What an operator waits for, and no more: every operation with every code would be hundreds of
 * series per store. Any other pair appears when it happens, up to `MOST_FAILURES` of them.
 */
const FORESEEN_FAILURES = [
  ['get', 'READ_FAILED'],
  ['get', 'CRC_MISMATCH'],
  ['put', 'WRITE_FAILED'],
  ['put', 'WRITER_POISONED'],
  ['sync', 'SYNC_FAILED'],
  ['sync', 'WRITER_POISONED'],
];
const MOST_FAILURES = 10;
const MOST_KINDS_OF_DAMAGE = 3;

const US = 1_000;
const MS = 1_000_000;
const S = 1_000_000_000;
/** Microseconds are the page cache, hundreds the disk; an objective needs 1 ms. */
const GET_BOUNDS = [5 * US, 50 * US, MS, 10 * MS];
const PREAD_BOUNDS = [10 * US, MS];
const SYNC_BOUNDS = [2 * MS, 20 * MS, 200 * MS, S];
/** An objective needs 100 ms. */
const DURABLE_WAIT_BOUNDS = [2 * MS, 20 * MS, 100 * MS, 500 * MS, 2 * S];
/** Of what is rare the mean says as much. */
const NO_BOUNDS: readonly number[] = [];

/**
 * Counts one store's events in numbers and typed arrays; nothing is made for Prometheus before it
 * asks. How each metric is read from these counts stands in metric-table.ts.
 */
export class StoreMetrics implements Probe {
  source: ProbeSource | undefined;
  hits = 0;
  misses = 0;
  puts = 0;
  deletes = 0;
  appendedBytes = 0;
  userBytes = 0;
  syncs = 0;
  syncWaiters = 0;
  rotations = 0;
  truncatedBytes = 0;
  leaseLosses = 0;
  readonly compactionBytes = { read: 0, written: 0 };
  /** Milliseconds since 1970 when the last scrub, and the last backup, ended well; 0 for none. */
  verifiedAtMs = 0;
  /** When the store was opened: an opening leaves nothing that is not durable. */
  openedAtMs = 0;
  backedUpAtMs = 0;
  readonly preads = new Float64Array(SITES.length);
  preadBytes = 0;
  /** Checksums that held, and those that did not; and how many were of gets. */
  held = 0;
  mismatched = 0;
  private checksumsOfGets = 0;
  readonly failures = new LabelledCounter(['operation', 'code'], FORESEEN_FAILURES, MOST_FAILURES);
  readonly stalls = counterOf('reason', 'rotation', 'unsynced-records', 'compaction');
  readonly seals = counterOf('outcome', 'ok', 'failed');
  readonly compactions = counterOf('outcome', 'ok', 'failed');
  readonly verifications = counterOf('outcome', 'ok', 'damaged', 'failed');
  readonly backups = counterOf('outcome', 'ok', 'failed');
  readonly corruptions = new LabelledCounter(
    ['kind'],
    [['CRC_MISMATCH'], ['STORE_CORRUPT']],
    MOST_KINDS_OF_DAMAGE,
  );
  readonly recoveries = counterOf('outcome', 'created', 'clean', 'recovered', 'snapshot', 'failed');
  readonly getTime = new DurationHistogram(GET_BOUNDS);
  readonly putTime = new DurationHistogram(GET_BOUNDS);
  readonly preadTime = new DurationHistogram(PREAD_BOUNDS);
  readonly crcTime = new DurationHistogram(NO_BOUNDS);
  readonly syncTime = new DurationHistogram(SYNC_BOUNDS);
  readonly durableWaitTime = new DurationHistogram(DURABLE_WAIT_BOUNDS);
  readonly recoveryTime = new DurationHistogram(NO_BOUNDS);
  readonly compactionTime = new DurationHistogram(NO_BOUNDS);
  readonly stallTime = new DurationHistogram(NO_BOUNDS);
  /** Why the store did not open; it stays in the registry until it does. */
  failedWith: StoreError | undefined;
  private tracer: SpanCounting | undefined;
  private begunGets = 0;

  /** The store's name; undefined while this is attached to none. */
  get storeName(): string | undefined {
    return this.source?.name;
  }

  /** The store's state, asked of it now; undefined while it is not open. */
  get now(): ProbeGauges | undefined {
    return this.source?.gauges();
  }

  /** Why it is of no use: it did not open, or refuses to write; undefined when all is well. */
  get trouble(): string | undefined {
    if (this.failedWith !== undefined)
      return `${this.storeName} did not open: ${this.failedWith.message}`;
    return this.poisonedNow
      ? `${this.storeName} is poisoned: writing stopped after a failure`
      : undefined;
  }

  /** Undefined while no store is open. */
  get poisonedNow(): boolean | undefined {
    return this.now?.poisoned;
  }

  attach(source: ProbeSource): void {
    this.source = source;
    this.failedWith = undefined;
    this.tracer = source.probes.find((probe): probe is SpanCounting => 'spanCounts' in probe);
  }

  detach(failure?: StoreError): void {
    this.failedWith = failure;
    if (failure === undefined) this.source = undefined;
  }

  private idsOf(operation: number): TraceIds | undefined {
    return this.tracer?.traceOf(operation);
  }

  began(_operation: number, kind: OperationKind): boolean {
    return kind === 'get' && this.begunGets++ % TIMED_ONE_IN === 0;
  }

  got(
    operation: number,
    hit: boolean,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    if (hit) this.hits++;
    else if (error === undefined) this.misses++;
    else this.failures.add(1, 'get', codeOf(error));
    if (durationNs !== NOT_TIMED)
      this.getTime.observe(durationNs, this.begunGets - this.getTime.count, this.idsOf(operation));
  }

  appended(
    operation: number,
    kind: 'put' | 'delete' | 'append',
    frameBytes: number,
    userBytes: number,
    _startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.putTime.observe(durationNs, 1, this.idsOf(operation));
    if (error !== undefined) {
      this.failures.add(1, kind, codeOf(error));
      return;
    }
    if (kind === 'put') this.puts++;
    else if (kind === 'delete') this.deletes++;
    this.appendedBytes += frameBytes;
    this.userBytes += userBytes;
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
    this.preadBytes += sizeBytes;
    if (durationNs !== NOT_TIMED && index === GET)
      this.preadTime.observe(durationNs, preads - this.preadTime.count);
  }

  crcValidated(
    _operation: number,
    site: ReadSite,
    ok: boolean,
    _sizeBytes: number,
    _startNs: number,
    durationNs: number,
  ): void {
    if (ok) this.held++;
    else this.mismatched++;
    if (site !== 'get') return;
    this.checksumsOfGets++;
    if (durationNs !== NOT_TIMED)
      this.crcTime.observe(durationNs, this.checksumsOfGets - this.crcTime.count);
  }

  event(event: StoreEvent): void {
    switch (event.kind) {
      case 'getMany':
        this.hits += event.hits;
        if (event.error === undefined) this.misses += event.misses;
        break;
      case 'batch':
        this.puts += event.puts;
        this.deletes += event.deletes;
        this.appendedBytes += event.frameBytes;
        this.userBytes += event.userBytes;
        break;
      case 'sync':
        this.syncTime.observe(event.durationNs, 1, this.idsOf(event.operation));
        if (event.error !== undefined) break;
        this.syncs++;
        this.syncWaiters += event.waiters;
        break;
      case 'durableWait':
        // One that failed was not acknowledged, however soon.
        if (event.error === undefined)
          this.durableWaitTime.observe(event.durationNs, 1, this.idsOf(event.operation));
        break;
      case 'scan':
        break;
      case 'compact':
        if (event.outcome !== 'aborted') this.compactions.add(1, event.outcome);
        this.compactionBytes.read += event.inputBytes;
        this.compactionBytes.written += event.outputBytes;
        this.compactionTime.observe(event.durationNs);
        break;
      case 'seal':
        if (event.error !== undefined) this.seals.add(1, 'failed');
        else if (event.sealBytes > 0) this.seals.add(1, 'ok');
        break;
      case 'verify':
        if (event.outcome !== 'aborted') this.verifications.add(1, event.outcome);
        if (event.outcome === 'ok') this.verifiedAtMs = Date.now();
        break;
      case 'backup':
        this.backups.add(1, event.error ? 'failed' : 'ok');
        if (event.error === undefined) this.backedUpAtMs = Date.now();
        break;
      case 'open':
        this.recoveries.add(1, event.outcome);
        this.openedAtMs = Date.now();
        this.truncatedBytes += event.truncatedBytes;
        this.recoveryTime.observe(event.durationNs);
        break;
      case 'refused':
        this.failures.add(1, event.operationKind, codeOf(event.error));
        return;
      case 'corrupted':
        this.corruptions.add(1, event.error.code);
        return;
      case 'writeStalled':
        this.stalls.add(1, event.reason);
        this.stallTime.observe(event.durationNs);
        return;
      case 'rotated':
        this.rotations++;
        return;
      case 'leaseLost':
        this.leaseLosses++;
        return;
      default:
        return;
    }
    // What has come here is the end of an operation.
    if (event.error !== undefined) this.failures.add(1, event.kind, codeOf(event.error));
  }
}

function counterOf(label: string, ...foreseen: string[]): LabelledCounter {
  return new LabelledCounter(
    [label],
    foreseen.map((value) => [value]),
  );
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
