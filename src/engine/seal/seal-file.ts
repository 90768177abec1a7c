import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32c } from '../format/crc32c.ts';
import { MAX_SEGMENT_ID } from '../format/format.ts';
import { readUint32, writeUint32 } from '../format/frame.ts';
import { parseSegmentName, segmentName } from '../format/segment-name.ts';
import {
  closeQuietly,
  type FileSystem,
  openIfPresent,
  readFully,
  readSmallRange,
  writeFully,
} from '../host/file-system.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';

/**
 * The seal file of a segment: what it was when it was made final, and where the newest records of
 * its keys lie, so that an opening need not read the segment. docs/format.md tells the same byte by
 * byte. All integers are little-endian:
 *
 *     magic(4) version(2) 0(2) segmentId(4) firstId(4) storeId(16) byteLength(8) recordCount(8) firstTxid(8) lastTxid(8)
 *     digest(32) identity(32) predecessorIdentity(32) endsDigest(4) hintsCrc(4) hintCount(8) hintsBytes(8) headerCrc(4) hints
 */
export interface Seal {
  readonly segmentId: number;
  /**
   * The ids from here to `segmentId` are all in this segment: more than one after a merge, or where
   * none was before.
   */
  readonly firstId: number;
  readonly storeId: Buffer;
  /** Of the segment, when it was sealed. */
  readonly byteLength: number;
  readonly recordCount: number;
  /**
   * Of the range of ids, whether or not the records are still there; both 0 when there never was
   * one.
   */
  readonly firstTxid: number;
  readonly lastTxid: number;
  /** SHA-256 of the segment. */
  readonly digest: Buffer;
  /** SHA-256 of what was first sealed under this id. A merge changes the digest and not this. */
  readonly identity: Buffer;
  /** Of the segment before `firstId`; zeros where there is none, or where it was not known. */
  readonly predecessorIdentity: Buffer;
  /**
   * The first four bytes of the SHA-256 of the first and the last bytes of the segment, which are
   * cheap to look at.
   */
  readonly endsDigest: number;
  readonly hintsCrc: number;
  readonly hintCount: number;
  readonly hintsBytes: number;
}

export const SEAL_SUFFIX = '.seal';
export const SEAL_TEMPORARY_SUFFIX = '.seal.tmp';
/** The seal of a merge's output, until it takes the place of the seal before it. */
export const MERGE_SUFFIX = '.merge';
export const MERGE_TEMPORARY_SUFFIX = '.merge.tmp';
/** The output itself, and an empty file, until they are renamed over a segment. */
export const MERGE_COPY_SUFFIX = '.merge-tmp';
export const SEAL_HEADER_BYTES = 188;
export const DIGEST_BYTES = 32;
/** `TDSL` */
const SEAL_MAGIC = 0x4c534454;
const SEAL_VERSION = 1;
const HEADER_CRC_AT = SEAL_HEADER_BYTES - 4;
/** At either end of a segment. */
const END_BYTES = 64;
/**
 * What is read at a time to be checked: little, because memory that is touched for the first time
 * costs more than a call.
 */
const CHUNK_BYTES = 256 * 1024;

/**
 * Longer segments, which only another program writes, have offsets that a hint cannot hold: they
 * get no seal, are read when opened, and are not merged.
 */
export const LONGEST_SEALED_BYTES = 2 ** 32;

export const NO_IDENTITY = Buffer.alloc(DIGEST_BYTES);

export function sealPath(directory: string, segmentId: number, suffix = SEAL_SUFFIX): string {
  return join(directory, segmentName(segmentId).slice(0, 8) + suffix);
}

/** The id in the name of a seal file, or undefined for any other name. */
export function parseSealName(name: string, suffix = SEAL_SUFFIX): number | undefined {
  return name.endsWith(suffix)
    ? parseSegmentName(`${name.slice(0, -suffix.length)}.dwal`)
    : undefined;
}

export function encodeSealHeader(seal: Seal): Buffer {
  const header = Buffer.alloc(SEAL_HEADER_BYTES);
  writeUint32(header, 0, SEAL_MAGIC);
  header.writeUInt16LE(SEAL_VERSION, 4);
  writeUint32(header, 8, seal.segmentId);
  writeUint32(header, 12, seal.firstId);
  seal.storeId.copy(header, 16);
  header.writeBigUInt64LE(BigInt(seal.byteLength), 32);
  header.writeBigUInt64LE(BigInt(seal.recordCount), 40);
  header.writeBigUInt64LE(BigInt(seal.firstTxid), 48);
  header.writeBigUInt64LE(BigInt(seal.lastTxid), 56);
  seal.digest.copy(header, 64);
  seal.identity.copy(header, 96);
  seal.predecessorIdentity.copy(header, 128);
  writeUint32(header, 160, seal.endsDigest);
  writeUint32(header, 164, seal.hintsCrc);
  header.writeBigUInt64LE(BigInt(seal.hintCount), 168);
  header.writeBigUInt64LE(BigInt(seal.hintsBytes), 176);
  writeUint32(header, HEADER_CRC_AT, crc32c(header.subarray(0, HEADER_CRC_AT)));
  return header;
}

/** Undefined when the bytes are not the header of a seal. */
export function decodeSealHeader(header: Buffer): Seal | undefined {
  if (header.length < SEAL_HEADER_BYTES || readUint32(header, 0) !== SEAL_MAGIC) return undefined;
  if (header.readUInt16LE(4) !== SEAL_VERSION || header.readUInt16LE(6) !== 0) return undefined;
  if (crc32c(header.subarray(0, HEADER_CRC_AT)) !== readUint32(header, HEADER_CRC_AT))
    return undefined;
  const integer = (at: number) => Number(header.readBigUInt64LE(at));
  const bytes = (at: number, length: number) => Buffer.from(header.subarray(at, at + length));
  const seal: Seal = {
    segmentId: readUint32(header, 8),
    firstId: readUint32(header, 12),
    storeId: bytes(16, 16),
    byteLength: integer(32),
    recordCount: integer(40),
    firstTxid: integer(48),
    lastTxid: integer(56),
    digest: bytes(64, DIGEST_BYTES),
    identity: bytes(96, DIGEST_BYTES),
    predecessorIdentity: bytes(128, DIGEST_BYTES),
    endsDigest: readUint32(header, 160),
    hintsCrc: readUint32(header, 164),
    hintCount: integer(168),
    hintsBytes: integer(176),
  };
  const plausible =
    seal.firstId >= 1 &&
    seal.firstId <= seal.segmentId &&
    seal.segmentId <= MAX_SEGMENT_ID &&
    seal.lastTxid >= seal.firstTxid &&
    [seal.byteLength, seal.recordCount, seal.lastTxid, seal.hintCount, seal.hintsBytes].every(
      Number.isSafeInteger,
    );
  return plausible ? seal : undefined;
}

/**
 * The seal of a segment if every byte of it is as it was written; `damaged`, or undefined when
 * there is none.
 */
export async function readSeal(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  turns: Turns,
  suffix = SEAL_SUFFIX,
): Promise<Seal | 'damaged' | undefined> {
  const descriptor = openIfPresent(fileSystem, sealPath(directory, segmentId, suffix));
  if (descriptor === undefined) return undefined;
  try {
    const { kind, sizeBytes } = fileSystem.statDescriptor(descriptor);
    const header = Buffer.alloc(SEAL_HEADER_BYTES);
    if (
      kind !== 'file' ||
      readFully(fileSystem, descriptor, header, 0, header.length, 0) < header.length
    )
      return 'damaged';
    const seal = decodeSealHeader(header);
    if (seal === undefined || SEAL_HEADER_BYTES + seal.hintsBytes !== sizeBytes) return 'damaged';
    let crc = 0;
    const add = (chunk: Buffer) => {
      crc = crc32c(chunk, crc);
    };
    const whole = await eachChunk(fileSystem, descriptor, SEAL_HEADER_BYTES, sizeBytes, add, turns);
    return whole && crc === seal.hintsCrc ? seal : 'damaged';
  } finally {
    closeQuietly(fileSystem, descriptor);
    if (turns.isDue(FILE_WORK_BYTES)) await turns.next();
  }
}

/**
 * May records of the range be missing from the segment? Not if it is what was first sealed under
 * its id.
 */
export function isMerged({ digest, identity }: Seal): boolean {
  return !digest.equals(identity);
}

/**
 * What the header of a seal file says; undefined when there is none, or it is damaged. Its hints
 * are not looked at.
 */
export function readSealHeader(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  suffix = SEAL_SUFFIX,
): Seal | undefined {
  const path = sealPath(directory, segmentId, suffix);
  const seal = decodeSealHeader(readSmallRange(fileSystem, path, 0, SEAL_HEADER_BYTES));
  return seal?.segmentId === segmentId ? seal : undefined;
}

/** Writes another header in front of a seal's hints: the file is the old one, or the new one. */
export async function rewriteSealHeader(
  fileSystem: FileSystem,
  directory: string,
  seal: Seal,
  turns: Turns,
): Promise<void> {
  const path = sealPath(directory, seal.segmentId);
  const temporary = sealPath(directory, seal.segmentId, SEAL_TEMPORARY_SUFFIX);
  if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
  const source = fileSystem.open(path, 'read');
  try {
    const target = fileSystem.open(temporary, 'create');
    try {
      writeFully(fileSystem, target, encodeSealHeader(seal), 0, SEAL_HEADER_BYTES, 0);
      let at = SEAL_HEADER_BYTES;
      const copy = (chunk: Buffer) => {
        writeFully(fileSystem, target, chunk, 0, chunk.length, at);
        at += chunk.length;
      };
      await eachChunk(fileSystem, source, at, at + seal.hintsBytes, copy, turns);
      fileSystem.dataSync(target);
    } catch (error) {
      fileSystem.remove(temporary);
      throw error;
    } finally {
      closeQuietly(fileSystem, target);
    }
  } finally {
    closeQuietly(fileSystem, source);
  }
  fileSystem.rename(temporary, path);
  fileSystem.directorySync(directory);
}

/** SHA-256 of the first bytes of a file; undefined when there are fewer. */
export async function digestOf(
  fileSystem: FileSystem,
  descriptor: number,
  byteLength: number,
  turns: Turns,
): Promise<Buffer | undefined> {
  const hash = createHash('sha256');
  const add = (chunk: Buffer) => hash.update(chunk);
  const whole = await eachChunk(fileSystem, descriptor, 0, byteLength, add, turns);
  return whole ? hash.digest() : undefined;
}

/**
 * `Seal.endsDigest` of the first bytes of a file. No CRC: that of a whole frame, checksum included,
 * is always the same.
 */
export function endsDigestOf(
  fileSystem: FileSystem,
  descriptor: number,
  byteLength: number,
): number {
  const end = Buffer.alloc(Math.min(END_BYTES, byteLength));
  const hash = createHash('sha256');
  for (const position of [0, byteLength - end.length]) {
    readFully(fileSystem, descriptor, end, 0, end.length, position);
    hash.update(end);
  }
  return readUint32(hash.digest(), 0);
}

/** False when the file ends before `end`. */
async function eachChunk(
  fileSystem: FileSystem,
  descriptor: number,
  start: number,
  end: number,
  visit: (chunk: Buffer) => void,
  turns: Turns,
): Promise<boolean> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(end - start, 0)));
  for (let at = start; at < end; ) {
    const count = readFully(fileSystem, descriptor, chunk, 0, Math.min(chunk.length, end - at), at);
    if (count === 0) return false;
    visit(chunk.subarray(0, count));
    at += count;
    if (turns.isDue(count)) await turns.next();
  }
  return true;
}
