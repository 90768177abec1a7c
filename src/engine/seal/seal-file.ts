import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32c } from '../format/crc32c.ts';
import { MAX_SEGMENT_ID } from '../format/format.ts';
import { readUint32, writeUint32 } from '../format/frame.ts';
import { parseSegmentName, segmentName } from '../format/segment-name.ts';
import { type FileSystem, readSmallRange } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { StoreFiles } from '../host/store-files.ts';
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
  /** The length of the segment, when it was sealed. */
  readonly byteLength: number;
  readonly recordCount: number;
  /**
   * The first txid of the range of ids, whether or not the record is still there; 0 when there
   * never was one.
   */
  readonly firstTxid: number;
  readonly lastTxid: number;
  /** SHA-256 of the segment. */
  readonly digest: Buffer;
  /** SHA-256 of what was first sealed under this id. A merge changes the digest and not this. */
  readonly identity: Buffer;
  /**
   * The identity of the segment before `firstId`; zeros where there is none, or where it was not
   * known.
   */
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
/** How many bytes of either end of a segment are digested. */
const END_BYTES = 64;

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
  files: StoreFiles,
  segmentId: number,
  turns: Turns,
  suffix = SEAL_SUFFIX,
): Promise<Seal | 'damaged' | undefined> {
  const path = sealPath(files.directory, segmentId, suffix);
  const seal = await files.useIfPresent(path, (file) => readSealIn(file, turns));
  if (seal !== undefined) await turns.after(FILE_WORK_BYTES);
  return seal;
}

/** The seal in a file that is open, if every byte of it is as it was written. */
export async function readSealIn(file: OpenFile, turns: Turns): Promise<Seal | 'damaged'> {
  const { kind, sizeBytes } = file.stat();
  const header = Buffer.alloc(SEAL_HEADER_BYTES);
  if (kind !== 'file' || file.read(header, 0) < header.length) return 'damaged';
  const seal = decodeSealHeader(header);
  if (seal === undefined || SEAL_HEADER_BYTES + seal.hintsBytes !== sizeBytes) return 'damaged';
  let crc = 0;
  const whole = await file.eachChunk(SEAL_HEADER_BYTES, sizeBytes, turns, (chunk) => {
    crc = crc32c(chunk, crc);
  });
  return whole && crc === seal.hintsCrc ? seal : 'damaged';
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
  // What is no plain file may not even be readable.
  if (fileSystem.stat(path)?.kind !== 'file') return undefined;
  const seal = decodeSealHeader(readSmallRange(fileSystem, path, 0, SEAL_HEADER_BYTES));
  return seal?.segmentId === segmentId ? seal : undefined;
}

/** Writes another header in front of a seal's hints: the file is the old one, or the new one. */
export async function rewriteSealHeader(
  files: StoreFiles,
  seal: Seal,
  turns: Turns,
): Promise<void> {
  const { fileSystem, directory } = files;
  const path = sealPath(directory, seal.segmentId);
  const temporary = sealPath(directory, seal.segmentId, SEAL_TEMPORARY_SUFFIX);
  if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
  await files.use(path, 'read', (source) =>
    files.use(temporary, 'create', async (target) => {
      try {
        target.write(encodeSealHeader(seal), 0);
        const end = SEAL_HEADER_BYTES + seal.hintsBytes;
        await source.eachChunk(SEAL_HEADER_BYTES, end, turns, (chunk, at) =>
          target.write(chunk, at),
        );
        target.sync();
      } catch (error) {
        fileSystem.remove(temporary);
        throw error;
      }
    }),
  );
  fileSystem.rename(temporary, path);
  fileSystem.directorySync(directory);
}

/** SHA-256 of the first bytes of a file; undefined when there are fewer. */
export async function digestOf(
  file: OpenFile,
  byteLength: number,
  turns: Turns,
): Promise<Buffer | undefined> {
  const hash = createHash('sha256');
  const whole = await file.eachChunk(0, byteLength, turns, (chunk) => hash.update(chunk));
  return whole ? hash.digest() : undefined;
}

/**
 * `Seal.endsDigest` of the first bytes of a file. No CRC: that of a whole frame, checksum included,
 * is always the same.
 */
export function endsDigestOf(file: OpenFile, byteLength: number): number {
  const end = Buffer.alloc(Math.min(END_BYTES, byteLength));
  const hash = createHash('sha256');
  for (const position of [0, byteLength - end.length]) {
    file.read(end, position);
    hash.update(end);
  }
  return readUint32(hash.digest(), 0);
}
