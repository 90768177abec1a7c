import { SlotWriter } from '../../src/engine/format/slot-file.ts';
import { DurableMarkWriter, MARK_FILE } from '../../src/engine/lock/durable-mark.ts';
import type { OwnerRecord } from '../../src/engine/lock/lock-decision.ts';
import { LogHoldings } from '../../src/engine/lock/log-holdings.ts';
import { LOCK_FILE } from '../../src/engine/lock/writer-lock.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';

/**
 * Durable marks and lock files as an opening of long ago would have left them. What is random in
 * real ones is fixed here, so that the corpus is the same at every generation.
 */

export interface MarkPosition {
  readonly segmentId: number;
  readonly offset: number;
  readonly nextTxid: number;
  readonly clean?: boolean;
}

export const STORE_ID = Buffer.alloc(16, 0x11);
const SESSION_NONCE = Buffer.alloc(16, 0x22);
const LOCK_MAGIC = Buffer.from('TDLK').readUInt32LE();
/**
 * Names no process of this machine, and no inode: the record in a copied directory, never a holder.
 */
const LONG_GONE: OwnerRecord = {
  pid: 4242,
  processStart: '1000',
  bootId: '00000000-0000-4000-8000-000000000000',
  pidNamespace: '1',
  host: 'fixture.invalid',
  device: 0,
  inode: 0,
  kernelLock: true,
  leaseInode: null,
  nonce: SESSION_NONCE.toString('hex'),
  released: false,
};

/**
 * A mark file holding the last two of the positions, the last one the newest; with the bytes of the
 * segments from 1 on it sums up those before it, without it is as the first version wrote it.
 */
export function markFile(positions: readonly MarkPosition[], held?: readonly number[]): Buffer {
  const fileSystem = new MemoryFileSystem();
  const holdings = held?.map((sizeBytes, index) => ({
    segmentId: index + 1,
    sizeBytes,
    mergedDigest: undefined,
  }));
  const mark = DurableMarkWriter.open(
    fileSystem,
    '/',
    undefined,
    STORE_ID,
    SESSION_NONCE,
    holdings && new LogHoldings(holdings),
  );
  for (const { segmentId, offset, nextTxid, clean } of positions) {
    mark.write(segmentId, offset, nextTxid, clean ?? false);
    mark.sync();
  }
  mark.close();
  return fileSystem.readFile(`/${MARK_FILE}`);
}

/** The lock file of the opening that wrote the mark: nobody else came after it. */
export function witnessingLockFile(): Buffer {
  const fileSystem = new MemoryFileSystem();
  const descriptor = fileSystem.open(`/${LOCK_FILE}`, 'create');
  new SlotWriter(fileSystem, descriptor, LOCK_MAGIC, undefined, 0).write((block, at) =>
    block.write(JSON.stringify(LONG_GONE), at),
  );
  fileSystem.close(descriptor);
  return fileSystem.readFile(`/${LOCK_FILE}`);
}

/** What datawal makes of the lock file when it opens: its process id and a line feed. */
export function datawalLockFile(): Buffer {
  return Buffer.from('12345\n');
}
