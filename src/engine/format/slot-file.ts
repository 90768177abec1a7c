import { isNoRoom } from '../host/errors.ts';
import { type FileSystem, readSmallFile, writeFully } from '../host/file-system.ts';
import { crc32c } from './crc32c.ts';
import { readUint32, writeUint32 } from './frame.ts';

/**
 * A small value in a file that is never renamed: two slots in separate 4 KiB blocks, written in
 * turn, in place. Writes that no sync separates go to the same slot, so that a power cut can hurt
 * only one; the other is on stable storage and holds the value of the sync before.
 *
 *     magic(4) version(2) bodyLength(2) sequence(8) body crc32c(4), padded to the block
 */

export const SLOT_BYTES = 4096;
export const SLOT_COUNT = 2;

const SLOT_VERSION = 1;
const SLOT_HEADER_BYTES = 16;
const SLOT_CRC_BYTES = 4;

export interface Slot {
  readonly index: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/**
 * The valid slots of a file, newest first; `damaged` counts those that hold something else than
 * zeros.
 */
export interface SlotContents {
  readonly slots: readonly Slot[];
  readonly damaged: number;
}

export function readSlots(
  fileSystem: FileSystem,
  path: string,
  magic: number,
): SlotContents | undefined {
  const bytes = readSmallFile(fileSystem, path, SLOT_BYTES * SLOT_COUNT);
  if (bytes === undefined) return undefined;
  const slots: Slot[] = [];
  let damaged = 0;
  for (let index = 0; index < SLOT_COUNT; index++) {
    const block = bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
    const slot = decodeSlot(block, index, magic);
    if (slot !== undefined) slots.push(slot);
    else if (block.some((byte) => byte !== 0)) damaged++;
  }
  slots.sort((a, b) => b.sequence - a.sequence);
  return { slots, damaged };
}

function decodeSlot(block: Buffer, index: number, magic: number): Slot | undefined {
  if (block.length < SLOT_HEADER_BYTES || readUint32(block, 0) !== magic) return undefined;
  if (block.readUInt16LE(4) !== SLOT_VERSION) return undefined;
  const crcAt = SLOT_HEADER_BYTES + block.readUInt16LE(6);
  if (crcAt + SLOT_CRC_BYTES > block.length) return undefined;
  if (crc32c(block.subarray(0, crcAt)) !== readUint32(block, crcAt)) return undefined;
  // One that nobody can count on from is not ours.
  const sequence = Number(block.readBigUInt64LE(8));
  if (!Number.isSafeInteger(sequence + SLOT_COUNT)) return undefined;
  return {
    index,
    sequence,
    body: block.subarray(SLOT_HEADER_BYTES, crcAt),
  };
}

/**
 * Gives a file that is shorter the room of all its slots, so that none is in want of a block later,
 * when the disk is full. Where it is full now, the slot that is there may still be written.
 */
export function preallocateSlots(
  fileSystem: FileSystem,
  descriptor: number,
  sizeBytes: number,
): void {
  const missingBytes = SLOT_BYTES * SLOT_COUNT - sizeBytes;
  if (missingBytes <= 0) return;
  try {
    const zeros = Buffer.alloc(missingBytes);
    writeFully(fileSystem, descriptor, zeros, 0, missingBytes, sizeBytes);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
  }
}

/** Writes slots. Reuses one block, so that writing allocates nothing. */
export class SlotWriter {
  private readonly fileSystem: FileSystem;
  private readonly descriptor: number;
  private readonly block = Buffer.alloc(SLOT_BYTES);
  private nextIndex: number;
  private nextSequence: number;
  /** Since the last turn. */
  private isWritten = false;

  /** The first write spares the slot `keep` and is newer than `newestSequence`. */
  constructor(
    fileSystem: FileSystem,
    descriptor: number,
    magic: number,
    keep: Slot | undefined,
    newestSequence: number,
  ) {
    this.fileSystem = fileSystem;
    this.descriptor = descriptor;
    this.nextIndex = keep === undefined ? 0 : (keep.index + 1) % SLOT_COUNT;
    this.nextSequence = newestSequence + 1;
    writeUint32(this.block, 0, magic);
    this.block.writeUInt16LE(SLOT_VERSION, 4);
  }

  /**
   * `fillBody` writes the value from the given offset of the block and returns its length in bytes.
   */
  write(fillBody: (block: Buffer, offset: number) => number): void {
    const bodyLength = fillBody(this.block, SLOT_HEADER_BYTES);
    const crcAt = SLOT_HEADER_BYTES + bodyLength;
    if (crcAt + SLOT_CRC_BYTES > SLOT_BYTES)
      throw new RangeError(`slot body of ${bodyLength} bytes is too long`);
    this.block.writeUInt16LE(bodyLength, 6);
    this.block.writeBigUInt64LE(BigInt(this.nextSequence), 8);
    writeUint32(this.block, crcAt, crc32c(this.block.subarray(0, crcAt)));
    writeFully(
      this.fileSystem,
      this.descriptor,
      this.block,
      0,
      crcAt + SLOT_CRC_BYTES,
      this.nextIndex * SLOT_BYTES,
    );
    this.nextSequence++;
    this.isWritten = true;
  }

  /**
   * Sends the next write to the other slot. Called after a sync that covered every write; one that
   * covered none changes nothing, because the other slot is the one that holds the last value.
   */
  turn(): void {
    if (!this.isWritten) return;
    this.isWritten = false;
    this.nextIndex = (this.nextIndex + 1) % SLOT_COUNT;
  }
}
