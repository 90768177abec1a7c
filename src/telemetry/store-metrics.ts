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
import { DurationHistogram } from './duration-histogram.ts';
import { LabelledCounter } from './samples.ts';

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
 * series per store. Any other pair appears when it happens.
 */
const FORESEEN_FAILURES = [
  ...['get', 'getMany'].flatMap((operation) =>
    ['READ_FAILED', 'CRC_MISMATCH', 'FRAME_MISMATCH'].map((code) => [operation, code]),
  ),
  ...['put', 'delete', 'batch'].flatMap((operation) =>
    ['WRITE_FAILED', 'WRITER_POISONED'].map((code) => [operation, code]),
  ),
  ...['SYNC_FAILED', 'WRITER_POISONED'].map((code) => ['sync', code]),
  ['durableWait', 'SYNC_FAILED'],
];

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
  writes = 0;
  appendedBytes = 0;
  userBytes = 0;
  syncs = 0;
  syncWaiters = 0;
  rotations = 0;
  truncatedBytes = 0;
  leaseLosses = 0;
  readonly compactionBytes = { read: 0, written: 0 };
  verifiedBytes = 0;
  readonly backupBytes = { linked: 0, copied: 0 };
  readonly preads = new Float64Array(SITES.length);
  readonly preadBytes = new Float64Array(SITES.length);
  /** Checksums that held, and those that did not. */
  readonly held = new Float64Array(SITES.length);
  readonly mismatched = new Float64Array(SITES.length);
  readonly failures = new LabelledCounter(['operation', 'code'], FORESEEN_FAILURES);
  readonly stalls = counterOf('reason', 'rotation', 'unsynced-records', 'compaction');
  readonly seals = counterOf('outcome', 'ok', 'failed', 'given_up');
  readonly compactions = counterOf('outcome', 'ok', 'aborted', 'failed');
  readonly verifications = counterOf('outcome', 'ok', 'damaged', 'aborted', 'failed');
  readonly backups = counterOf('outcome', 'ok', 'failed');
  readonly corruptions = counterOf('kind', 'CRC_MISMATCH', 'FRAME_MISMATCH');
  readonly recoveries = counterOf('outcome', 'created', 'clean', 'recovered', 'snapshot', 'failed');
  readonly getTime = new DurationHistogram();
  readonly putTime = new DurationHistogram();
  readonly preadTime = new DurationHistogram();
  readonly crcTime = new DurationHistogram();
  readonly syncTime = new DurationHistogram();
  readonly durableWaitTime = new DurationHistogram();
  readonly recoveryTime = new DurationHistogram();
  readonly compactionTime = new DurationHistogram();
  readonly stallTime = new DurationHistogram();
  private begunGets = 0;

  /** The store's name; undefined while this is attached to none. */
  get storeName(): string | undefined {
    return this.source?.name;
  }

  /** The store's state, asked of it now; undefined while it is not open. */
  get now(): ProbeGauges | undefined {
    return this.source?.gauges();
  }

  /** Undefined while no store is open. */
  get poisonedNow(): boolean | undefined {
    return this.now?.poisoned;
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

  event(event: StoreEvent): void {
    switch (event.kind) {
      case 'wrote':
        this.writes++;
        return;
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
        this.syncTime.observe(event.durationNs);
        if (event.error !== undefined) break;
        this.syncs++;
        this.syncWaiters += event.waiters;
        break;
      case 'durableWait':
        this.durableWaitTime.observe(event.durationNs);
        break;
      case 'scan':
        break;
      case 'compact':
        this.compactions.add(1, event.outcome);
        this.compactionBytes.read += event.inputBytes;
        this.compactionBytes.written += event.outputBytes;
        this.compactionTime.observe(event.durationNs);
        break;
      case 'seal':
        this.seals.add(1, event.error ? 'failed' : event.sealBytes > 0 ? 'ok' : 'given_up');
        break;
      case 'verify':
        this.verifications.add(1, event.outcome);
        this.verifiedBytes += event.scannedBytes;
        break;
      case 'backup':
        this.backups.add(1, event.error ? 'failed' : 'ok');
        this.backupBytes.linked += event.linkedBytes;
        this.backupBytes.copied += event.copiedBytes;
        break;
      case 'open':
        this.recoveries.add(1, event.outcome);
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
