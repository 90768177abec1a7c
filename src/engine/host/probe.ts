import type { StoreError } from './errors.ts';
import type { OperationKind, StoreEvent } from './store-event.ts';

/** Why a frame is being read. */
export type ReadSite = 'get' | 'scan' | 'compact' | 'verify' | 'seal';

/**
 * The narrow interface through which the engine reports what it did. Every method but `attach` and
 * `began` is called after the fact. Five events are so frequent that they come as flat arguments,
 * and nothing is made for them; everything else comes as one object to `event`, whose `kind` says
 * what happened.
 *
 * Times are nanoseconds of the monotonic clock (`performance.now() * 1e6`), read only while a probe
 * is set. Gets, and the parts of any operation (`read`, `crcValidated`), are timed only where some
 * probe's `began` asked for it: they are so short that the clock would be felt. Where none did,
 * their `durationNs` is `NOT_TIMED`. `operation` is 0 for a part that belongs to no operation; its
 * lowest bit says whether parts are timed, the rest (`operationKey`) names it from `began` to its
 * last event.
 *
 * A probe that throws, or whose method returns a promise that is rejected, never breaks a read or a
 * write: the engine counts it (`stats().probeErrors`).
 */
export interface Probe {
  /** The store this probe will hear of, before it is opened. */
  attach?(source: ProbeSource): void;
  /** That store was closed, or failed to open, and why; nothing more is heard of it. */
  detach?(failure?: StoreError): void;

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
  /** One checksum, over the `sizeBytes` of a whole frame; `ok` is whether it held. */
  crcValidated?(
    operation: number,
    site: ReadSite,
    ok: boolean,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void;

  /** The end of any other operation, or anything else that happened. */
  event?(event: StoreEvent): void;
}

/** What a probe may ask of the store it is attached to. State is pulled, not pushed. */
export interface ProbeSource {
  /** The store's logical name. */
  readonly name: string;
  /** Its directory, absolute. */
  readonly directory: string;
  /** Which CRC-32C implementation this process uses. */
  readonly checksum: string;
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
  /** The same as in `LogStats`; undefined for a reader, which takes no lock. */
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
