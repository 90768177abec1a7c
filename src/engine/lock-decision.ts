import type { ProcessIdentity } from './host-identity.ts';

/** What a holder writes into `.lock`: enough to name it, and to prove it dead. */
export interface OwnerRecord extends ProcessIdentity {
  /** Of `.lock` itself: a copied directory carries a record that names another file. */
  readonly device: number;
  readonly inode: number;
  /** Which locks the holder took. */
  readonly kernelLock: boolean;
  /** Names the opening, as the durable mark does. Hexadecimal. */
  readonly nonce: string;
}

export interface LeaseEvidence {
  readonly leasePresent: boolean;
  readonly record: OwnerRecord | undefined;
  readonly self: ProcessIdentity;
  /** Of the `.lock` that is open now. */
  readonly sentinel: { readonly device: number; readonly inode: number };
  /** Do we hold the kernel lock on it? */
  readonly kernelLockHeld: boolean;
  /** Start time of the process that now has the recorded pid here, null when there is none. */
  readonly startOfRecordedPid: string | null;
}

/**
 * - `free`: nobody holds a lease.
 * - `dead`: its holder is proved dead, the leftover may be removed at once.
 * - `held`: nothing is proved; the lease counts until it is stale.
 */
export type LeaseDecision = 'free' | 'dead' | 'held';

/** A pure function of the records, so that every case can be tested as one. */
export function decideLease(evidence: LeaseEvidence): LeaseDecision {
  const { record, self, sentinel } = evidence;
  if (!evidence.leasePresent) return 'free';
  if (record === undefined) return 'held';
  const sameBoot = record.bootId !== null && record.bootId === self.bootId;
  // Device numbers mean something on one running kernel only; inodes are the file system's own.
  const isCopy = record.inode !== sentinel.inode || (sameBoot && record.device !== sentinel.device);
  if (isCopy) return 'dead';
  if (sameBoot && record.pidNamespace !== null && record.pidNamespace === self.pidNamespace) {
    if (record.kernelLock && evidence.kernelLockHeld) return 'dead';
    const holderGone = record.processStart !== null && evidence.startOfRecordedPid !== record.processStart;
    return holderGone ? 'dead' : 'held';
  }
  const rebooted = record.bootId !== null && self.bootId !== null && record.bootId !== self.bootId;
  return rebooted && record.host === self.host ? 'dead' : 'held';
}
