import type { StoreError } from './errors.ts';

/** Why a frame is being read. */
export type ReadSite = 'get' | 'scan' | 'compact' | 'verify' | 'seal';

/**
 * What a caller asked for. Everything read and checked on its behalf carries the operation's
 * number.
 */
export type OperationKind =
  | 'get'
  | 'getMany'
  | 'put'
  | 'delete'
  | 'batch'
  | 'append'
  | 'sync'
  | 'scan'
  | 'open'
  | 'compact'
  | 'seal'
  | 'verify'
  | 'backup';

export type RefusedKind = OperationKind | 'rotate';

/**
 * The narrow interface through which the engine reports what it did. Every method but `attach` and
 * `began` is called after the fact, with flat arguments, so that an adapter need not allocate and
 * the engine need not wait.
 *
 * Times are nanoseconds of the monotonic clock (`performance.now() * 1e6`), read only while a probe
 * is set. Gets, and the parts of any operation (`read`, `crcValidated`), are timed only where some
 * probe's `began` asked for it: they are so short that the clock would be felt. Where none did,
 * their `durationNs` is `NOT_TIMED`. `operation` is 0 for a part that belongs to no operation; its
 * lowest bit says whether parts are timed, the rest (`operationKey`) names it from `began` to its
 * last event.
 *
 * A probe that throws never breaks a read or a write: the engine counts it (`stats().probeErrors`).
 */
export interface Probe {
  /** The store this probe will hear of, before it is opened. */
  attach?(source: ProbeSource): void;
  /** That store was closed, or failed to open; nothing more is heard of it. */
  detach?(): void;

  /**
   * An operation begins. True when its parts, and a get itself, are to be timed. Without this
   * method, they are not.
   */
  began?(operation: number, kind: OperationKind): boolean;

  /** One get. `hit` is false for an absent key, and after an error. */
  got?(
    operation: number,
    hit: boolean,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** Many gets at once; after an error, those that were read before it are the hits. */
  gotMany?(
    operation: number,
    hits: number,
    misses: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** A put, a delete or an append of a Raw record. */
  appended?(
    operation: number,
    kind: 'put' | 'delete' | 'append',
    frameBytes: number,
    userBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /**
   * A batch; after an error, what was appended before it. `userBytes` are keys and values,
   * `frameBytes` the frames.
   */
  batched?(
    operation: number,
    puts: number,
    deletes: number,
    frameBytes: number,
    userBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** One sync, for `waiters` callers. */
  synced?(
    operation: number,
    waiters: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** A scan, an export or the taking up of a reader, when it ended: `records` were read. */
  scanned?(
    operation: number,
    records: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /**
   * One merge, or a `compactTo`: bytes of frames that went in, and that came out. `aborted` by its
   * caller's signal or a close: it has changed nothing.
   */
  compacted?(
    operation: number,
    outcome: 'ok' | 'aborted' | 'failed',
    inputBytes: number,
    outputBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /**
   * An opening, or an attempt at one (`snapshot`: of a lock-free reader). `truncatedBytes` were cut
   * off.
   */
  opened?(
    operation: number,
    outcome: 'created' | 'clean' | 'recovered' | 'snapshot' | 'failed',
    truncatedBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** One segment of an opening. */
  segmentScanned?(
    operation: number,
    segmentId: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void;

  /** One pread of a segment. `sizeBytes` were read, also before an error. */
  read?(
    operation: number,
    site: ReadSite,
    segmentId: number,
    offset: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** One write call, or one vector of them. */
  wrote?(operation: number, segmentId: number, offset: number, sizeBytes: number): void;
  /** One checksum, over the `sizeBytes` of a whole frame; `ok` is whether it held. */
  crcValidated?(
    operation: number,
    site: ReadSite,
    ok: boolean,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void;

  /**
   * A write that had to wait: for a sync before it could go on, or in a sync for the merges that it
   * outran.
   */
  writeStalled?(
    reason: 'rotation' | 'unsynced-records' | 'compaction',
    startNs: number,
    durationNs: number,
  ): void;
  /**
   * A seal file was written, or could not be; `sealBytes` is 0 where it was given up for a close.
   */
  sealed?(
    operation: number,
    segmentId: number,
    sealBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /**
   * A scrub. `damagedRanges` is 0 unless the outcome is `damaged`. `aborted` by its caller's signal
   * or a close, and then without an error.
   */
  verified?(
    operation: number,
    outcome: 'ok' | 'damaged' | 'aborted' | 'failed',
    records: number,
    scannedBytes: number,
    damagedRanges: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** A backup; bytes of segments that it linked and copied, those that the target had left out. */
  backedUp?(
    operation: number,
    linkedBytes: number,
    copiedBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void;
  /** A segment was full or `rotate` was called, and appends go on in a new one. */
  rotated?(sealedSegmentId: number, newSegmentId: number): void;
  /**
   * Damage was met, with segment, offset and reason in the error; the call that met it may throw
   * another.
   */
  corrupted?(error: StoreError): void;
  /**
   * An operation that was not begun, because an earlier failure has ended writing. `rotate` is
   * never begun as one.
   */
  refused?(kind: RefusedKind, error: StoreError): void;
  /** The lease beside the kernel lock was lost; `fatal` when there is no kernel lock. */
  leaseLost?(fatal: boolean): void;
  /** The writer refuses all writes from here on, because of this error. Once an opening at most. */
  poisoned?(error: StoreError): void;
}

/** What a probe may ask of the store it is attached to. State is pulled, not pushed. */
export interface ProbeSource {
  /** The store's logical name. */
  readonly name: string;
  /** Undefined until the store is open. */
  readonly gauges: () => ProbeGauges | undefined;
  /** All probes of the store, this one included. */
  readonly probes: readonly Probe[];
}

export interface ProbeGauges {
  readonly keys: number;
  readonly keydirBytes: number;
  readonly openDescriptors: number;
  readonly poolHits: number;
  readonly poolMisses: number;
  readonly poolEvictions: number;
  readonly poisoned: boolean;
  /** As in `LogStats`; undefined for a reader, which takes no lock. */
  readonly kernelLock: boolean | undefined;
  readonly sealedSegments: number;
  readonly segmentBytes: number;
  /** Bytes of the frames that the keydir points to. */
  readonly liveBytes: number;
  readonly unsyncedBytes: number;
  readonly unsyncedRecords: number;
  readonly syncWaiters: number;
  readonly lastSyncedAtMs: number | undefined;
  readonly probeErrors: number;
}

/** What names an operation, whether or not its parts are timed. */
export function operationKey(operation: number): number {
  return operation - (operation & 1);
}

/** The duration of a part that nobody asked to have timed. */
export const NOT_TIMED = -1;

export function nowNs(): number {
  return performance.now() * 1e6;
}
