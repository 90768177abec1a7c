import type { StoreError } from './errors.ts';

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
  | 'durableWait'
  | 'scan'
  | 'open'
  | 'compact'
  | 'seal'
  | 'verify'
  | 'backup';

export type RefusedKind = OperationKind | 'rotate';

/** What the operations that end with an event have done, after an error too. */
export interface OperationResults {
  /** Many gets at once; after an error, those that were read before it are the hits. */
  getMany: { hits: number; misses: number };
  /**
   * A batch; after an error, what was appended before it. `userBytes` are keys and values,
   * `frameBytes` the frames.
   */
  batch: { puts: number; deletes: number; frameBytes: number; userBytes: number };
  /** One sync, for `waiters` callers; `syncedBytes` are what it made durable. */
  sync: { waiters: number; syncedBytes: number };
  /**
   * One caller of `sync` or `putDurable`, from the call to its acknowledgement. `syncOperation`
   * names the sync that served it (as `operationKey` does); 0 where all was durable already, and
   * after an error.
   */
  durableWait: { syncOperation: number };
  /** A scan, an export, or a reader that catches up: `records` were read. */
  scan: { records: number };
  /**
   * One merge, or a `compactTo`: bytes of frames that went in, and that came out. `aborted` by its
   * caller's signal or a close: it has changed nothing.
   */
  compact: { outcome: 'ok' | 'aborted' | 'failed'; inputBytes: number; outputBytes: number };
  /**
   * An opening, or an attempt at one (`snapshot`: of a lock-free reader). `truncatedBytes` were cut
   * off.
   */
  open: {
    outcome: 'created' | 'clean' | 'recovered' | 'snapshot' | 'failed';
    truncatedBytes: number;
  };
  /**
   * A seal file was written, or could not be; `sealBytes` is 0 where it was given up for a close.
   */
  seal: { segmentId: number; sealBytes: number };
  /**
   * A scrub. `damagedRanges` is 0 unless the outcome is `damaged`. `aborted` by its caller's signal
   * or a close, and then without an error.
   */
  verify: {
    outcome: 'ok' | 'damaged' | 'aborted' | 'failed';
    records: number;
    scannedBytes: number;
    damagedRanges: number;
  };
  /** A backup; bytes of segments that it linked and copied, those that the target had left out. */
  backup: { linkedBytes: number; copiedBytes: number };
}

/** When something took place: nanoseconds of the monotonic clock. */
export interface Timed {
  readonly startNs: number;
  readonly durationNs: number;
}

/** The end of an operation, whose `kind` is the one it began with. */
export type OperationEvent = {
  readonly [Kind in keyof OperationResults]: {
    readonly kind: Kind;
    readonly operation: number;
    readonly error: StoreError | undefined;
  } & Readonly<OperationResults[Kind]> &
    Timed;
}[keyof OperationResults];

/** What else a store tells of. */
export type StoreOccurrence =
  /** One segment of an opening was read. */
  | ({
      readonly kind: 'segmentScanned';
      readonly operation: number;
      readonly segmentId: number;
      readonly sizeBytes: number;
    } & Timed)
  /** One write call, or one vector of them. */
  | {
      readonly kind: 'wrote';
      readonly operation: number;
      readonly segmentId: number;
      readonly offset: number;
      readonly sizeBytes: number;
    }
  /**
   * A write that had to wait: for a sync before it could go on, or in a sync for the merges that it
   * outran.
   */
  | ({
      readonly kind: 'writeStalled';
      readonly reason: 'rotation' | 'unsynced-records' | 'compaction';
    } & Timed)
  /** A segment was full or `rotate` was called, and appends go on in a new one. */
  | {
      readonly kind: 'rotated';
      readonly sealedSegmentId: number;
      readonly newSegmentId: number;
    }
  /**
   * Damage was met, with segment, offset and reason in the error; the call that met it may throw
   * another.
   */
  | { readonly kind: 'corrupted'; readonly error: StoreError }
  /**
   * An operation was not begun, because an earlier failure has ended writing. `rotate` is never
   * begun as one.
   */
  | {
      readonly kind: 'refused';
      readonly operationKind: RefusedKind;
      readonly error: StoreError;
    }
  /** The lease beside the kernel lock was lost; `fatal` when there is no kernel lock. */
  | { readonly kind: 'leaseLost'; readonly fatal: boolean }
  /** The writer refuses all writes from now on, because of this error. Once per opening at most. */
  | { readonly kind: 'poisoned'; readonly error: StoreError };

/** Everything that a store tells its probes, but for the five events of gets and puts. */
export type StoreEvent = OperationEvent | StoreOccurrence;
