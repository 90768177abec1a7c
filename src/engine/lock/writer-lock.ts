import { join } from 'node:path';
import { preallocateSlots, readSlots, type Slot, SlotWriter } from '../format/slot-file.ts';
import { errnoOf, isNoRoom, StoreError, wrapSystemError } from '../host/errors.ts';
import { closeQuietly, type FileSystem, LEASE_STALE_MS, type Lease } from '../host/file-system.ts';
import { HeldDirectory } from '../host/held-directory.ts';
import { currentProcess, startOfProcess, startOfThread } from '../host/host-identity.ts';
import {
  decideLease,
  holderNamedBy,
  isOwnerRecord,
  type LeaseEvidence,
  type NamedHolder,
  type OwnerRecord,
} from './lock-decision.ts';

/**
 * The file whose lock lets one writer in per directory. A kernel lock on `.lock` is the authority
 * on one host, and goes away with its holder. A lease beside it is for hosts that kernel locks do
 * not reach, and stands alone where the native addon cannot load. The file stays on disk: its
 * existence is not the lock.
 */
export const LOCK_FILE = '.lock';
/** `TDLK` */
const LOCK_MAGIC = 0x4b4c4454;

export interface AcquireOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** Names this opening. */
  readonly nonce: Buffer;
  /**
   * The nonce in the durable mark, read once the kernel lock is held. The slot of `.lock` that
   * carries it is spared until a mark with our own nonce is on disk: killed in between, the next
   * opening must still see that no foreign writer came.
   */
  readonly readMarkNonce: () => Buffer | undefined;
  /**
   * The lease was lost. Fatal to the writer only when no kernel lock is held, or when the directory
   * or `.lock` is another one: then the error is `STORE_MOVED`.
   */
  readonly onLeaseLost: (error: Error, fatal: boolean) => void;
}

export class WriterLock {
  /**
   * Does a slot of `.lock` carry the nonce of the mark? If not, a foreign writer was here since.
   */
  readonly witnessed: boolean;
  /** Is the kernel lock ours? Without it only the lease keeps others out. */
  readonly kernelLock: boolean;
  /** What this lock is on. */
  readonly held: HeldDirectory;
  /** The kernel lock is held, and nothing beside it that another host would see. */
  hasNoRoomForLease = false;
  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly slots: SlotWriter;
  private lease: Lease | undefined;
  private record: OwnerRecord | undefined;
  private isMarked = false;
  private isLost = false;

  private constructor(
    fileSystem: FileSystem,
    held: HeldDirectory,
    descriptor: number,
    slots: SlotWriter,
    kernelLock: boolean,
    witnessed: boolean,
  ) {
    this.held = held;
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.slots = slots;
    this.kernelLock = kernelLock;
    this.witnessed = witnessed;
  }

  /** Fails at once with `STORE_LOCKED` when another writer holds the directory; never waits. */
  static async acquire(options: AcquireOptions): Promise<WriterLock> {
    const { fileSystem, directory } = options;
    const path = join(directory, LOCK_FILE);
    const { descriptor, created } = openSentinel(fileSystem, path);
    let lease: Lease | undefined;
    try {
      const kernelLockResult = fileSystem.tryLock(descriptor);
      const records = readRecords(fileSystem, path);
      const newest = records.newest?.record;
      const self = currentProcess(fileSystem);
      const starts = startsNow(fileSystem, newest);
      const holder = holderNamedBy(newest, self, starts);
      if (kernelLockResult === 'busy') throw lockedError(directory, holder);
      const kernelLock = kernelLockResult === 'locked';
      const markNonce = options.readMarkNonce()?.toString('hex');
      // The older of two: the newer one is the note of a release, which nobody has synced.
      const witness = records.all.findLast(({ record }) => record.nonce === markNonce);

      const sentinel = fileSystem.statDescriptor(descriptor);
      const held = new HeldDirectory(fileSystem, path, sentinel);
      // Whoever replaced the file since it was opened may have locked the new one.
      if (held.fileObjection() !== undefined) throw lockedError(directory, undefined);
      const leaseSeen = seeLease(fileSystem, path);
      const decision = decideLease({
        lease: leaseSeen,
        record: newest,
        self,
        sentinel,
        kernelLockHeld: kernelLock,
        ...starts,
      });
      const { device, inode } = sentinel;
      const nonce = options.nonce.toString('hex');
      const record: OwnerRecord = {
        ...self,
        device,
        inode,
        kernelLock,
        leaseInode: null,
        nonce,
        released: false,
      };
      const slots = new SlotWriter(
        fileSystem,
        descriptor,
        LOCK_MAGIC,
        witness?.slot,
        records.newest?.slot.sequence ?? 0,
      );
      const lock = new WriterLock(
        fileSystem,
        held,
        descriptor,
        slots,
        kernelLock,
        witness !== undefined,
      );
      // With the kernel lock in hand a lease that is not somebody's on another host gets its record
      // first: dying in between then leaves a lease whose dead holder can be proved. Without it
      // another process may be doing the same right now, and writing over its record could make it
      // look dead; so the record comes after the lease, and names it.
      const recordFirst = kernelLock && decision !== 'held';
      const recorded = (whole: OwnerRecord) => {
        preallocateSlots(fileSystem, descriptor, sentinel.sizeBytes);
        lock.writeRecord(whole);
      };
      if (recordFirst) recorded(record);
      const removeBroken =
        decision === 'dead' && leaseSeen !== undefined
          ? fileSystem.breakLease(path, leaseSeen.inode)
          : undefined;
      try {
        lease = await takeLease(options, path, holder, (error) => {
          // With the kernel lock it tells of somebody else's files, or of nothing that matters.
          const objection = held.objection();
          lock.isLost = !kernelLock || objection !== undefined;
          options.onLeaseLost(objection ?? error, lock.isLost);
        });
      } catch (error) {
        // A disk that is full to the last block has none for the lease's directory. Whoever holds
        // the kernel lock may go on: room is made by a store that is open.
        if (!kernelLock || !isNoRoom(error)) throw error;
        lock.hasNoRoomForLease = true;
      } finally {
        removeBroken?.();
      }
      if (!recordFirst) {
        recorded({
          ...record,
          leaseInode: fileSystem.stat(leasePath(path))?.inode ?? null,
        });
      }
      if (created) fileSystem.directorySync(directory);
      lock.lease = lease;
      return lock;
    } catch (error) {
      await lease?.release().catch(() => {});
      closeQuietly(fileSystem, descriptor);
      throw wrapSystemError(error, 'take the writer lock', path);
    }
  }

  /** So that the next one to find the lock taken is not told that it was us. */
  private writeReleased(): void {
    const record = { ...this.record, released: true };
    try {
      this.slots.write((block, at) => block.write(JSON.stringify(record), at));
    } catch {
      // It only makes a message less exact.
    }
  }

  private writeRecord(record: OwnerRecord): void {
    this.slots.write((block, at) => block.write(JSON.stringify(record), at));
    this.fileSystem.dataSync(this.descriptor);
    this.slots.turn();
    this.record = record;
  }

  /**
   * False when, with no kernel lock, the lease is too old for anything to be acknowledged as
   * durable.
   */
  stillHeld(): boolean {
    if (this.kernelLock) return true;
    // Whoever has taken it meanwhile may have given it back: once lost, it is not ours again.
    if (this.lease === undefined || this.lease.ageMs() > LEASE_STALE_MS) this.isLost = true;
    return !this.isLost;
  }

  /** A mark with our nonce is on disk: no other slot has to be spared any more. */
  marked(): void {
    this.isMarked = true;
  }

  async release(): Promise<void> {
    // Without the lock the slot may be the next holder's by now.
    if (this.isMarked && !this.isLost && this.stillHeld()) this.writeReleased();
    try {
      await this.lease?.release();
    } catch {
      // A lease that was lost was reported when it was lost; there is nothing left to give back.
    } finally {
      closeQuietly(this.fileSystem, this.descriptor);
    }
  }
}

/** Why a writer without the kernel lock ends: somebody else may hold the lease by now. */
export function leaseLost(): Error {
  return new Error(`its lease was not refreshed for ${LEASE_STALE_MS / 1000} s`);
}

function leasePath(path: string): string {
  return `${path}.lock`;
}

function seeLease(fileSystem: FileSystem, path: string): LeaseEvidence['lease'] {
  const stat = fileSystem.stat(leasePath(path));
  if (stat === undefined) return undefined;
  return { inode: stat.inode, stale: Math.abs(Date.now() - stat.modifiedMs) > LEASE_STALE_MS };
}

function startsNow(
  fileSystem: FileSystem,
  record: OwnerRecord | undefined,
): Pick<LeaseEvidence, 'startOfRecordedPid' | 'startOfRecordedThread'> {
  if (record === undefined) return { startOfRecordedPid: null, startOfRecordedThread: null };
  const { pid, thread } = record;
  return {
    startOfRecordedPid: startOfProcess(fileSystem, pid),
    startOfRecordedThread: thread ? startOfThread(fileSystem, pid, thread.id) : undefined,
  };
}

/** Does a slot of `.lock` carry this nonce? For a reader, which takes no lock. */
export function lockCarriesNonce(
  fileSystem: FileSystem,
  directory: string,
  nonce: Buffer,
): boolean {
  const { all } = readRecords(fileSystem, join(directory, LOCK_FILE));
  return all.some(({ record }) => record.nonce === nonce.toString('hex'));
}

/** Who has a store open for writing, as `.lock` names them. */
export interface StoreWriter {
  readonly pid: number;
  readonly host: string;
  /** Does its pid mean a process that can be seen from here? */
  readonly isOnThisHost: boolean;
  /** False: it has only the lease, which it must refresh. */
  readonly kernelLock: boolean;
}

/** Whom the newest record names, if that one may still be there. For whoever takes no lock. */
export function writerNamedIn(fileSystem: FileSystem, directory: string): StoreWriter | undefined {
  const { newest } = readRecords(fileSystem, join(directory, LOCK_FILE));
  const starts = startsNow(fileSystem, newest?.record);
  const holder = holderNamedBy(newest?.record, currentProcess(fileSystem), starts);
  if (holder === undefined) return undefined;
  const { pid, host, kernelLock } = holder.record;
  return { pid, host, kernelLock, isOnThisHost: holder.isInThisNamespace };
}

function openSentinel(
  fileSystem: FileSystem,
  path: string,
): { descriptor: number; created: boolean } {
  for (;;) {
    try {
      return { descriptor: fileSystem.open(path, 'write'), created: false };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw wrapSystemError(error, 'open the lock file', path);
    }
    try {
      return { descriptor: fileSystem.open(path, 'create'), created: true };
    } catch (error) {
      // Somebody else created it between the two calls: open theirs.
      if (errnoOf(error) !== 'EEXIST') throw wrapSystemError(error, 'create the lock file', path);
    }
  }
}

interface RecordOnDisk {
  readonly slot: Slot;
  readonly record: OwnerRecord;
}

function readRecords(
  fileSystem: FileSystem,
  path: string,
): { all: readonly RecordOnDisk[]; newest: RecordOnDisk | undefined } {
  const all: RecordOnDisk[] = [];
  for (const slot of readSlots(fileSystem, path, LOCK_MAGIC)?.slots ?? []) {
    try {
      const record: unknown = JSON.parse(slot.body.toString('utf8'));
      if (isOwnerRecord(record)) all.push({ slot, record });
    } catch {
      // Its checksum holds, so a later version wrote it: it names nobody we know.
    }
  }
  return { all, newest: all[0] };
}

const LEASE_ATTEMPTS = 5;

async function takeLease(
  options: AcquireOptions,
  path: string,
  holder: NamedHolder | undefined,
  onLost: (error: Error) => void,
): Promise<Lease> {
  const { fileSystem, directory } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await fileSystem.holdLease(path, onLost);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ELOCKED') throw lockedError(directory, holder);
      // Somebody who opens at the same moment took it aside while it was being made.
      if (errno !== 'ENOENT' || fileSystem.stat(path) === undefined) throw error;
      if (attempt === LEASE_ATTEMPTS) throw lockedError(directory, holder);
    }
  }
}

function lockedError(directory: string, holder: NamedHolder | undefined): StoreError {
  return new StoreError(
    'STORE_LOCKED',
    `${directory} is open for writing in ${describeHolder(holder)}; close it there, or read without the lock through openReader`,
    { path: directory, ...(holder === undefined ? {} : { holderPid: holder.record.pid }) },
  );
}

function describeHolder(holder: NamedHolder | undefined): string {
  if (holder === undefined) return 'another process';
  const { record, isInThisNamespace, isThisProcess } = holder;
  const which = isThisProcess
    ? ' (this one)'
    : isInThisNamespace
      ? ''
      : ', as its own host or container numbers it,';
  return `process ${record.pid}${which} on ${record.host}`;
}
