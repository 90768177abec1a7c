import { join } from 'node:path';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import type { FileSystem, Lease } from './file-system.ts';
import { LEASE_STALE_MS } from './file-system.ts';
import { currentProcess, processStart } from './host-identity.ts';
import { decideLease, type OwnerRecord } from './lock-decision.ts';
import { readSlots, type Slot, SlotWriter } from './slot-file.ts';

/**
 * At most one writer a directory. A kernel lock on `.lock` is the authority on one host and goes away with
 * its holder; a lease beside it is for hosts that kernel locks do not reach, and stands alone where the
 * native addon cannot load. The file stays on disk: its existence is not the lock.
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
   * The nonce in the durable mark, read once the kernel lock is held. The slot of `.lock` that carries it is
   * spared until a mark with our own nonce is on disk: killed in between, the next opening must still see
   * that no foreign writer came.
   */
  readonly readMarkNonce: () => Buffer | undefined;
  /** The lease was lost. Fatal to the writer only when no kernel lock is held. */
  readonly onLeaseLost: (error: Error, fatal: boolean) => void;
}

export class WriterLock {
  /** Does a slot of `.lock` carry the nonce of the mark? If not, a foreign writer was here since. */
  readonly witnessed: boolean;
  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly kernelLock: boolean;
  private readonly lease: Lease;

  private constructor(
    fileSystem: FileSystem,
    descriptor: number,
    kernelLock: boolean,
    lease: Lease,
    witnessed: boolean,
  ) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.kernelLock = kernelLock;
    this.lease = lease;
    this.witnessed = witnessed;
  }

  /** Fails at once with `STORE_LOCKED` when another writer holds the directory; never waits. */
  static async acquire(options: AcquireOptions): Promise<WriterLock> {
    const { fileSystem, directory } = options;
    const path = join(directory, LOCK_FILE);
    const { descriptor, created } = openSentinel(fileSystem, path);
    try {
      const kernelLockResult = fileSystem.tryLock(descriptor);
      const records = readRecords(fileSystem, path);
      if (kernelLockResult === 'busy') throw lockedError(directory, records.newest?.record);
      const kernelLock = kernelLockResult === 'locked';
      const markNonce = options.readMarkNonce()?.toString('hex');
      const witness = records.all.find(({ record }) => record.nonce === markNonce);

      const self = currentProcess(fileSystem);
      const sentinel = fileSystem.statDescriptor(descriptor);
      const newest = records.newest?.record;
      const leasePath = `${path}.lock`;
      const decision = decideLease({
        leasePresent: fileSystem.stat(leasePath) !== undefined,
        record: newest,
        self,
        sentinel,
        kernelLockHeld: kernelLock,
        startOfRecordedPid: newest === undefined ? null : processStart(fileSystem, newest.pid),
      });
      const writeRecord = () => {
        const { device, inode } = sentinel;
        const record: OwnerRecord = {
          ...self,
          device,
          inode,
          kernelLock,
          nonce: options.nonce.toString('hex'),
        };
        const newestSequence = records.newest?.slot.sequence ?? 0;
        new SlotWriter(fileSystem, descriptor, LOCK_MAGIC, witness?.slot, newestSequence).write((block, at) =>
          block.write(JSON.stringify(record), at),
        );
        fileSystem.dataSync(descriptor);
        if (created) fileSystem.directorySync(directory);
      };
      // A lease that we may take gets its record first, so that dying in between leaves a lease whose dead
      // holder can be proved. A lease that may be somebody's must not lose the record that names them.
      if (decision !== 'held') writeRecord();
      if (decision === 'dead') fileSystem.breakLease(path);
      const lease = await takeLease(options, path, kernelLock, newest);
      if (decision === 'held') writeRecord();
      return new WriterLock(fileSystem, descriptor, kernelLock, lease, witness !== undefined);
    } catch (error) {
      fileSystem.close(descriptor);
      throw wrapSystemError(error, 'take the writer lock', path);
    }
  }

  /** False when, with no kernel lock, the lease is too old for anything to be acknowledged as durable. */
  stillHeld(): boolean {
    return this.kernelLock || this.lease.ageMs() <= LEASE_STALE_MS;
  }

  async release(): Promise<void> {
    try {
      await this.lease.release();
    } catch {
      // A lease that was lost was reported when it was lost; there is nothing left to give back.
    } finally {
      this.fileSystem.close(this.descriptor);
    }
  }
}

/** Does a slot of `.lock` carry this nonce? For a reader, which takes no lock. */
export function lockCarriesNonce(fileSystem: FileSystem, directory: string, nonce: Buffer): boolean {
  const { all } = readRecords(fileSystem, join(directory, LOCK_FILE));
  return all.some(({ record }) => record.nonce === nonce.toString('hex'));
}

function openSentinel(fileSystem: FileSystem, path: string): { descriptor: number; created: boolean } {
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
      all.push({ slot, record: JSON.parse(slot.body.toString('utf8')) as OwnerRecord });
    } catch {
      // Its checksum holds, so a later version wrote it: it names nobody we know.
    }
  }
  return { all, newest: all[0] };
}

async function takeLease(
  options: AcquireOptions,
  path: string,
  kernelLock: boolean,
  record: OwnerRecord | undefined,
): Promise<Lease> {
  try {
    return await options.fileSystem.holdLease(path, (error) => options.onLeaseLost(error, !kernelLock));
  } catch (error) {
    if (errnoOf(error) === 'ELOCKED') throw lockedError(options.directory, record);
    throw error;
  }
}

function lockedError(directory: string, record: OwnerRecord | undefined): StoreError {
  const holder =
    record === undefined
      ? 'another process'
      : `process ${record.pid}${record.pid === process.pid ? ' (this one)' : ''} on ${record.host}`;
  return new StoreError(
    'STORE_LOCKED',
    `${directory} is open for writing in ${holder}; close it there, or read without the lock through openReader`,
    { path: directory, ...(record === undefined ? {} : { holderPid: record.pid }) },
  );
}
