import { createHash } from 'node:crypto';
import { crc32c } from '../../src/engine/format/crc32c.ts';
import {
  CRC_BYTES,
  HEADER_BYTES,
  MAGIC_BYTES,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
} from '../../src/engine/format/format.ts';
import {
  headerFrameBytes,
  headerKeyLength,
  headerPayloadLength,
  viewOf,
  writeUint32,
} from '../../src/engine/format/frame.ts';
import { SLOT_BYTES, SLOT_COUNT } from '../../src/engine/format/slot-file.ts';
import { SEAL_HEADER_BYTES } from '../../src/engine/seal/seal-file.ts';

/**
 * Checksums made right again after a mutation: a parser that stands behind one never sees a mutated
 * input otherwise. Whoever can write a directory can compute a CRC.
 */

/** Mends the checksum of every frame that fits where a magic stands. */
export function mendFrames(bytes: Buffer): Buffer {
  const magic = Buffer.from(MAGIC_BYTES);
  const view = viewOf(bytes);
  for (let at = bytes.indexOf(magic); at !== -1 && at + HEADER_BYTES <= bytes.length; ) {
    const fits =
      headerKeyLength(view, at) <= MAX_KEY_BYTES &&
      headerPayloadLength(view, at) <= MAX_PAYLOAD_BYTES &&
      at + headerFrameBytes(view, at) <= bytes.length;
    const end = fits ? at + headerFrameBytes(view, at) : at + 1;
    if (fits) writeUint32(bytes, end - CRC_BYTES, crc32c(bytes.subarray(at, end - CRC_BYTES)));
    at = bytes.indexOf(magic, end);
  }
  return bytes;
}

/** Mends both slots of a mark or lock file, as long as their bodies say. */
export function mendSlots(bytes: Buffer): Buffer {
  for (let index = 0; index < SLOT_COUNT; index++) {
    const block = bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
    if (block.length < 16 || block.every((byte) => byte === 0)) continue;
    const crcAt = 16 + block.readUInt16LE(6);
    if (crcAt + 4 <= block.length) writeUint32(block, crcAt, crc32c(block.subarray(0, crcAt)));
  }
  return bytes;
}

/**
 * Mends a seal: the checksum of its hints, their length, and the checksum of its header. With
 * `segment` it also mends that one's digests and length, so that the seal speaks for it.
 */
export function mendSeal(bytes: Buffer, segment: Uint8Array | undefined): Buffer {
  if (bytes.length < SEAL_HEADER_BYTES) return bytes;
  const hints = bytes.subarray(SEAL_HEADER_BYTES);
  if (segment !== undefined) {
    bytes.writeBigUInt64LE(BigInt(segment.length), 32);
    createHash('sha256').update(segment).digest().copy(bytes, 64);
    const endBytes = Math.min(64, segment.length);
    createHash('sha256')
      .update(segment.subarray(0, endBytes))
      .update(segment.subarray(segment.length - endBytes))
      .digest()
      .copy(bytes, 160, 0, 4);
  }
  writeUint32(bytes, 164, crc32c(hints));
  bytes.writeBigUInt64LE(BigInt(hints.length), 176);
  writeUint32(bytes, SEAL_HEADER_BYTES - 4, crc32c(bytes.subarray(0, SEAL_HEADER_BYTES - 4)));
  return bytes;
}
