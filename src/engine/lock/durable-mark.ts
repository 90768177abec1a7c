import { join } from 'node:path';
import { readSlots, SLOT_BYTES, SLOT_COUNT, type Slot, SlotWriter } from '../format/slot-file.ts';
import { closeQuietly, type FileSystem, readFully, writeFully } from '../host/file-system.ts';
import {
  decodeMarkedHoldings,
  encodeMarkedHoldings,
  type LogHoldings,
  MARKED_HOLDINGS_BYTES,
  type MarkedHoldings,
} from './log-holdings.ts';

/**
 * The durable mark: the last position that a completed sync covered. It is written after the sync
 * has returned, so it may lag behind the truth and can never lead it.
 */
export interface DurableMark {
  /** 16 bytes that name the store for life. */
  readonly storeId: Buffer;
  /**
   * 16 bytes that name the opening that wrote this. The same stand in `.lock` unless a foreign
   * writer came.
   */
  readonly sessionNonce: Buffer;
  readonly segmentId: number;
  readonly offset: number;
  /** The txid that the record at that position has, once there is one. */
  readonly nextTxid: number;
  /** Set only by an orderly close: the log ends at this position. */
  readonly clean: boolean;
  /**
   * The holdings of the segments in front of `segmentId`; undefined in a mark of an earlier
   * version.
   */
  readonly holdings: MarkedHoldings | undefined;
}

export const MARK_FILE = 'durable-mark';
/** `TDMK` */
const MARK_MAGIC = 0x4b4d4454;
export const NONCE_BYTES = 16;
/** The length of a mark that says nothing of what lies before it. */
const SHORT_BODY_BYTES = NONCE_BYTES * 2 + 4 + 8 + 8 + 1;

/** Says what the mark is to tell of the segments in front of the one that it stands in. */
type HoldingsBefore = Pick<LogHoldings, 'before'>;

type MarkValue = Pick<DurableMark, 'segmentId' | 'offset' | 'nextTxid' | 'clean'>;

export interface MarkOnDisk {
  readonly mark: DurableMark;
  readonly slot: Slot;
}

/** The newest valid mark of a directory, and how many slots were damaged. */
export function readMark(
  fileSystem: FileSystem,
  directory: string,
): { newest: MarkOnDisk | undefined; damagedSlots: number } {
  const contents = readSlots(fileSystem, join(directory, MARK_FILE), MARK_MAGIC);
  if (contents === undefined) return { newest: undefined, damagedSlots: 0 };
  for (const slot of contents.slots) {
    const mark = decodeMark(slot.body);
    if (mark !== undefined) return { newest: { mark, slot }, damagedSlots: contents.damaged };
  }
  return { newest: undefined, damagedSlots: contents.damaged };
}

function decodeMark(body: Buffer): DurableMark | undefined {
  if (body.length < SHORT_BODY_BYTES) return undefined;
  const offset = Number(body.readBigUInt64LE(36));
  const nextTxid = Number(body.readBigUInt64LE(44));
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(nextTxid) || nextTxid < 1)
    return undefined;
  return {
    storeId: Buffer.from(body.subarray(0, NONCE_BYTES)),
    sessionNonce: Buffer.from(body.subarray(NONCE_BYTES, NONCE_BYTES * 2)),
    segmentId: body.readUInt32LE(32),
    offset,
    nextTxid,
    clean: body[52] === 1,
    holdings: decodeMarkedHoldings(body, SHORT_BODY_BYTES),
  };
}

function rewriteSlot(fileSystem: FileSystem, descriptor: number, index: number): void {
  const block = Buffer.alloc(SLOT_BYTES);
  const length = readFully(fileSystem, descriptor, block, 0, SLOT_BYTES, index * SLOT_BYTES);
  writeFully(fileSystem, descriptor, block, 0, length, index * SLOT_BYTES);
}

/**
 * Keeps the mark of one opening. Its file is preallocated, so that later writes change no metadata.
 * It has two descriptors, because the kernel reports a failed write-back once to each: a blocking
 * sync must not succeed only because the one in the thread pool has been told already.
 */
export class DurableMarkWriter {
  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly pooledDescriptor: number;
  private readonly slots: SlotWriter;
  private readonly storeId: Buffer;
  private readonly sessionNonce: Buffer;
  private readonly holdings: HoldingsBefore | undefined;
  private pooledSyncs = 0;
  private turns = 0;
  private deferred: MarkValue | undefined;

  private constructor(
    fileSystem: FileSystem,
    descriptor: number,
    pooledDescriptor: number,
    after: Slot | undefined,
    storeId: Buffer,
    sessionNonce: Buffer,
    holdings: HoldingsBefore | undefined,
  ) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.pooledDescriptor = pooledDescriptor;
    this.slots = new SlotWriter(fileSystem, descriptor, MARK_MAGIC, after, after?.sequence ?? 0);
    this.storeId = storeId;
    this.sessionNonce = sessionNonce;
    this.holdings = holdings;
  }

  /**
   * Opens the mark's file, creating it when needed; the caller syncs the directory before relying
   * on it. Without `holdings` the marks say nothing of what lies before them.
   */
  static open(
    fileSystem: FileSystem,
    directory: string,
    previous: MarkOnDisk | undefined,
    storeId: Buffer,
    sessionNonce: Buffer,
    holdings?: HoldingsBefore,
  ): DurableMarkWriter {
    const path = join(directory, MARK_FILE);
    const exists = fileSystem.stat(path) !== undefined;
    const descriptor = fileSystem.open(path, exists ? 'write' : 'create');
    try {
      const { sizeBytes } = fileSystem.statDescriptor(descriptor);
      if (sizeBytes < SLOT_BYTES * SLOT_COUNT) {
        const zeros = Buffer.alloc(SLOT_BYTES * SLOT_COUNT - sizeBytes);
        writeFully(fileSystem, descriptor, zeros, 0, zeros.length, sizeBytes);
      }
      // The slot that we read must be on disk before the other is written: whoever wrote it may
      // have died before its sync, and after a failed one only writing it again puts it there.
      if (previous !== undefined) rewriteSlot(fileSystem, descriptor, previous.slot.index);
      fileSystem.dataSync(descriptor);
      const pooled = fileSystem.open(path, 'write');
      return new DurableMarkWriter(
        fileSystem,
        descriptor,
        pooled,
        previous?.slot,
        storeId,
        sessionNonce,
        holdings,
      );
    } catch (error) {
      closeQuietly(fileSystem, descriptor);
      throw error;
    }
  }

  /**
   * Writes the mark. Durable only after a sync. While one runs in the thread pool the write waits
   * for its end: the slot that is being synced must not be written over, and the other one must not
   * be written before this one is durable.
   */
  write(segmentId: number, offset: number, nextTxid: number, clean: boolean): void {
    if (this.pooledSyncs > 0) this.deferred = { segmentId, offset, nextTxid, clean };
    else this.writeSlot({ segmentId, offset, nextTxid, clean });
  }

  /** Both slots, each synced: nothing older can be read again. */
  writeBoth(segmentId: number, offset: number, nextTxid: number): void {
    for (let count = 0; count < SLOT_COUNT; count++) {
      this.write(segmentId, offset, nextTxid, false);
      this.sync();
    }
  }

  sync(): void {
    this.syncSlot();
    if (this.deferred === undefined) return;
    this.writeDeferred();
    this.syncSlot();
  }

  async syncAsync(): Promise<void> {
    const { turns } = this;
    this.pooledSyncs++;
    try {
      await this.fileSystem.dataSyncAsync(this.pooledDescriptor);
    } finally {
      this.pooledSyncs--;
    }
    // A blocking sync may have come in between, and turned already.
    if (this.turns === turns) this.turn();
    this.writeDeferred();
  }

  private syncSlot(): void {
    this.fileSystem.dataSync(this.descriptor);
    this.turn();
  }

  private turn(): void {
    this.slots.turn();
    this.turns++;
  }

  private writeDeferred(): void {
    const { deferred } = this;
    if (deferred === undefined) return;
    this.deferred = undefined;
    this.writeSlot(deferred);
  }

  private writeSlot({ segmentId, offset, nextTxid, clean }: MarkValue): void {
    this.slots.write((block, at) => {
      this.storeId.copy(block, at);
      this.sessionNonce.copy(block, at + NONCE_BYTES);
      block.writeUInt32LE(segmentId, at + 32);
      block.writeBigUInt64LE(BigInt(offset), at + 36);
      block.writeBigUInt64LE(BigInt(nextTxid), at + 44);
      block[at + 52] = clean ? 1 : 0;
      if (this.holdings === undefined) return SHORT_BODY_BYTES;
      encodeMarkedHoldings(this.holdings.before(segmentId), block, at + SHORT_BODY_BYTES);
      return SHORT_BODY_BYTES + MARKED_HOLDINGS_BYTES;
    });
  }

  close(): void {
    closeQuietly(this.fileSystem, this.descriptor);
    closeQuietly(this.fileSystem, this.pooledDescriptor);
  }
}
