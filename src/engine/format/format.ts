/**
 * Every constant of the frozen wire format, in one place. docs/format.md tells the same byte by
 * byte.
 *
 * All integers are little-endian. A frame is
 *
 *     magic(4) version(2) type(1) flags(1) txid(8) keyLength(4) payloadLength(4) key payload crc32c(4)
 */

export const WIRE_VERSION = 1;

/** `DWAL`, as bytes and as the little-endian integer that a 32-bit load of them gives. */
export const MAGIC_BYTES = Uint8Array.of(0x44, 0x57, 0x41, 0x4c);
export const MAGIC_UINT32 = 0x4c415744;

export const VERSION_OFFSET = 4;
export const TYPE_OFFSET = 6;
export const FLAGS_OFFSET = 7;
export const TXID_OFFSET = 8;
export const KEY_LENGTH_OFFSET = 16;
export const PAYLOAD_LENGTH_OFFSET = 20;

export const HEADER_BYTES = 24;
export const CRC_BYTES = 4;
/** Bytes of a frame that are neither key nor payload. */
export const FRAME_OVERHEAD_BYTES = HEADER_BYTES + CRC_BYTES;

export const MAX_KEY_BYTES = 65_536;
export const MAX_PAYLOAD_BYTES = 67_108_864;
export const MAX_FRAME_BYTES = FRAME_OVERHEAD_BYTES + MAX_KEY_BYTES + MAX_PAYLOAD_BYTES;

/** Raw records are in the log and invisible to the key-value view. */
export const RecordType = { Raw: 0, Put: 1, Delete: 2 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];
export const MAX_RECORD_TYPE = RecordType.Delete;

/** Offsets beyond it are not addressed; only another program could write such a segment. */
export const MAX_SEGMENT_FILE_BYTES = 2 ** 42;

/** Eight decimal digits name a segment, so ids end here. */
export const MAX_SEGMENT_ID = 99_999_999;
export const FIRST_SEGMENT_ID = 1;
export const SEGMENT_SUFFIX = '.dwal';
