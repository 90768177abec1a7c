import type { ProcessIdentity } from '../host/host-identity.ts';

/** What a holder writes into `.lock`: enough to name it, and to prove it dead. */
export interface OwnerRecord extends ProcessIdentity {
  /** The device of `.lock` itself. A copied directory carries a record that names another file. */
  readonly device: number;
  readonly inode: number;
  /** Which locks the holder took. */
  readonly kernelLock: boolean;
  /**
   * The inode of the lease, where the record was written after the lease was taken; null where
   * before.
   */
  readonly leaseInode: number | null;
  /** Names the opening, as the durable mark does. Hexadecimal. */
  readonly nonce: string;
  /** Set by an orderly close: nobody is behind this record any more. */
  readonly released: boolean;
}

/**
 * Whoever can write the directory can write a record; its pid becomes part of a path, and its host
 * of a message.
 */
export function isOwnerRecord(value: unknown): value is OwnerRecord {
  const record = (value ?? {}) as Record<keyof OwnerRecord, unknown>;
  const { pid, device, inode, leaseInode, kernelLock, released, host, nonce } = record;
  return (
    [pid, device, inode].every(
      (number) => Number.isSafeInteger(number) && (number as number) >= 0,
    ) &&
    (leaseInode === null || Number.isSafeInteger(leaseInode)) &&
    typeof kernelLock === 'boolean' &&
    typeof released === 'boolean' &&
    typeof nonce === 'string' &&
    typeof host === 'string' &&
    [record.processStart, record.bootId, record.pidNamespace].every(
      (text) => text === null || typeof text === 'string',
    ) &&
    isThread(record.thread ?? null)
  );
}

function isThread(value: unknown): boolean {
  if (value === null) return true;
  const { id, start } = value as { id?: unknown; start?: unknown };
  return Number.isSafeInteger(id) && (id as number) >= 0 && typeof start === 'string';
}

export interface LeaseEvidence {
  /**
   * Undefined when nobody holds one. `stale` when it was not refreshed for the stale interval, or
   * when its time is that far in the future: the clock of whoever refreshes it agrees with ours.
   */
  readonly lease: { readonly inode: number; readonly stale: boolean } | undefined;
  readonly record: OwnerRecord | undefined;
  readonly self: ProcessIdentity;
  /** The identity of the `.lock` that is open now. */
  readonly sentinel: { readonly device: number; readonly inode: number };
  /** Do we hold the kernel lock on it? */
  readonly kernelLockHeld: boolean;
  /**
   * Start time of the process that now has the recorded pid here; null: there is none; undefined:
   * unknown.
   */
  readonly startOfRecordedPid: string | null | undefined;
  /** The same for the recorded thread of it; undefined also where none is recorded. */
  readonly startOfRecordedThread: string | null | undefined;
}

/**
 * - `free`: nobody holds a lease.
 * - `dead`: its holder is proved dead, the leftover may be removed at once.
 * - `held`: nothing is proved; the lease counts until it is stale.
 */
export type LeaseDecision = 'free' | 'dead' | 'held';

/** A pure function of the records, so that every case can be tested as one. */
export function decideLease(evidence: LeaseEvidence): LeaseDecision {
  const { record, self, sentinel, lease } = evidence;
  if (lease === undefined) return 'free';
  if (lease.stale) return 'dead';
  if (record === undefined) return 'held';
  const sameBoot = record.bootId !== null && record.bootId === self.bootId;
  // Device numbers mean something on one running kernel only; inodes are the file system's own.
  const isCopy = record.inode !== sentinel.inode || (sameBoot && record.device !== sentinel.device);
  if (isCopy) return 'dead';
  // One kernel, one file, and the lock that its holder had on it is ours: in whatever namespace
  // that process lived, it lives no more, or has given the lock back.
  if (sameBoot && record.kernelLock && evidence.kernelLockHeld) return 'dead';
  if (sameBoot && record.pidNamespace !== null && record.pidNamespace === self.pidNamespace) {
    // A lease that is not the record's is of somebody who has not written a record yet.
    const isItsLease = record.leaseInode === null || record.leaseInode === lease.inode;
    return isItsLease && isGone(record, evidence) ? 'dead' : 'held';
  }
  const rebooted = record.bootId !== null && self.bootId !== null && record.bootId !== self.bootId;
  return rebooted && record.host === self.host ? 'dead' : 'held';
}

type Starts = Pick<LeaseEvidence, 'startOfRecordedPid' | 'startOfRecordedThread'>;

/** Does the process, or the thread, that wrote the record exist no more? Unknown is no. */
export function isGone(record: OwnerRecord, now: Starts): boolean {
  return (
    hasEnded(record.processStart, now.startOfRecordedPid) ||
    hasEnded(record.thread?.start ?? null, now.startOfRecordedThread)
  );
}

function hasEnded(start: string | null, now: string | null | undefined): boolean {
  if (now === undefined) return false;
  return now === null || (start !== null && now !== start);
}

/** Whom to name as the holder of a lock that somebody holds. */
export interface NamedHolder {
  readonly record: OwnerRecord;
  /** Its pid means a process that can be seen from here. */
  readonly isInThisNamespace: boolean;
  readonly isThisProcess: boolean;
}

/** Undefined when the record is of somebody before. */
export function holderNamedBy(
  record: OwnerRecord | undefined,
  self: ProcessIdentity,
  now: Starts,
): NamedHolder | undefined {
  if (record === undefined || record.released) return undefined;
  const isInThisNamespace =
    record.bootId === self.bootId &&
    record.pidNamespace === self.pidNamespace &&
    record.host === self.host;
  if (isInThisNamespace && isGone(record, now)) return undefined;
  const isThisProcess =
    isInThisNamespace && record.pid === self.pid && record.processStart === self.processStart;
  return { record, isInThisNamespace, isThisProcess };
}
