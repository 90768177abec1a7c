import { crc32cOfRange } from './crc32c.ts';
import {
  CRC_BYTES,
  FLAGS_OFFSET,
  FRAME_OVERHEAD_BYTES,
  HEADER_BYTES,
  KEY_LENGTH_OFFSET,
  MAGIC_UINT32,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
  MAX_RECORD_TYPE,
  PAYLOAD_LENGTH_OFFSET,
  type RecordType,
  TXID_OFFSET,
  TYPE_OFFSET,
  VERSION_OFFSET,
  WIRE_VERSION,
} from './format.ts';

/** Where a frame lies. `offset` and `byteLength` in bytes; the whole frame, header and checksum included. */
export interface RecordRef {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
}

/** A decoded frame. `key` and `payload` are views: copy what must outlive the buffer they came from. */
export interface LogRecord {
  readonly type: RecordType;
  readonly txid: number;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

/** Why bytes are not a frame. What follows from it is decided elsewhere. */
export type FrameFault =
  /** The bytes end before the frame does. */
  | 'truncated'
  | 'bad-magic'
  | 'unknown-version'
  | 'unknown-type'
  | 'nonzero-flags'
  /** A txid of 0 or beyond 2^53 - 1, which no writer assigns. */
  | 'txid-out-of-range'
  | 'key-too-long'
  | 'payload-too-long'
  | 'crc-mismatch';

export type DecodedFrame =
  | { readonly ok: true; readonly record: LogRecord; readonly byteLength: number }
  /** `claimedBytes` is the frame length that a plausible header states, 0 where there is none. */
  | { readonly ok: false; readonly fault: FrameFault; readonly claimedBytes: number };

const TWO_TO_32 = 2 ** 32;

export function frameBytes(keyLength: number, payloadLength: number): number {
  return FRAME_OVERHEAD_BYTES + keyLength + payloadLength;
}

/**
 * Writes one frame at `offset` and returns its length in bytes. The caller has checked the limits and
 * leaves room for `frameBytes(key.length, payload.length)`.
 */
export function encodeFrame(
  target: Buffer,
  offset: number,
  type: RecordType,
  txid: number,
  key: Uint8Array,
  payload: Uint8Array,
): number {
  encodeHeader(target, offset, type, txid, key.length, payload.length);
  target.set(key, offset + HEADER_BYTES);
  target.set(payload, offset + HEADER_BYTES + key.length);
  const crcAt = offset + HEADER_BYTES + key.length + payload.length;
  writeUint32(target, crcAt, crc32cOfRange(target, offset, crcAt));
  return crcAt + CRC_BYTES - offset;
}

/** The 24 bytes before the key. */
export function encodeHeader(
  target: Buffer,
  offset: number,
  type: RecordType,
  txid: number,
  keyLength: number,
  payloadLength: number,
): void {
  writeUint32(target, offset, MAGIC_UINT32);
  target[offset + VERSION_OFFSET] = WIRE_VERSION;
  target[offset + VERSION_OFFSET + 1] = 0;
  target[offset + TYPE_OFFSET] = type;
  target[offset + FLAGS_OFFSET] = 0;
  writeUint32(target, offset + TXID_OFFSET, txid);
  writeUint32(target, offset + TXID_OFFSET + 4, Math.floor(txid / TWO_TO_32));
  writeUint32(target, offset + KEY_LENGTH_OFFSET, keyLength);
  writeUint32(target, offset + PAYLOAD_LENGTH_OFFSET, payloadLength);
}

/**
 * What is wrong with the header at `offset`, or undefined. Needs `HEADER_BYTES` bytes there; looks at the
 * fields in the order in which they stand, so that the first wrong one is named.
 */
export function headerFault(bytes: Uint8Array, offset: number): FrameFault | undefined {
  if (readUint32(bytes, offset) !== MAGIC_UINT32) return 'bad-magic';
  if (bytes[offset + VERSION_OFFSET] !== WIRE_VERSION || bytes[offset + VERSION_OFFSET + 1] !== 0) {
    return 'unknown-version';
  }
  if ((bytes[offset + TYPE_OFFSET] as number) > MAX_RECORD_TYPE) return 'unknown-type';
  if (bytes[offset + FLAGS_OFFSET] !== 0) return 'nonzero-flags';
  const txid = headerTxid(bytes, offset);
  if (txid === 0 || txid > Number.MAX_SAFE_INTEGER) return 'txid-out-of-range';
  if (headerKeyLength(bytes, offset) > MAX_KEY_BYTES) return 'key-too-long';
  if (headerPayloadLength(bytes, offset) > MAX_PAYLOAD_BYTES) return 'payload-too-long';
  return undefined;
}

export function headerType(bytes: Uint8Array, offset: number): RecordType {
  return bytes[offset + TYPE_OFFSET] as RecordType;
}

export function headerTxid(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset + TXID_OFFSET + 4) * TWO_TO_32 + readUint32(bytes, offset + TXID_OFFSET);
}

export function headerKeyLength(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset + KEY_LENGTH_OFFSET);
}

export function headerPayloadLength(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset + PAYLOAD_LENGTH_OFFSET);
}

/** Whole length of the frame whose valid header stands at `offset`. */
export function headerFrameBytes(bytes: Uint8Array, offset: number): number {
  return frameBytes(headerKeyLength(bytes, offset), headerPayloadLength(bytes, offset));
}

/** Does the checksum of the whole frame `bytes[offset, offset + byteLength)` hold? */
export function crcHolds(bytes: Uint8Array, offset: number, byteLength: number): boolean {
  const crcAt = offset + byteLength - CRC_BYTES;
  return crc32cOfRange(bytes, offset, crcAt) === readUint32(bytes, crcAt);
}

/** Decodes the frame at `offset` of any bytes at all, without throwing and without reading past `end`. */
export function decodeFrame(bytes: Uint8Array, offset = 0, end = bytes.length): DecodedFrame {
  if (end - offset < HEADER_BYTES) return { ok: false, fault: 'truncated', claimedBytes: 0 };
  const fault = headerFault(bytes, offset);
  if (fault !== undefined) return { ok: false, fault, claimedBytes: 0 };
  const byteLength = headerFrameBytes(bytes, offset);
  if (byteLength > end - offset) return { ok: false, fault: 'truncated', claimedBytes: byteLength };
  if (!crcHolds(bytes, offset, byteLength)) {
    return { ok: false, fault: 'crc-mismatch', claimedBytes: byteLength };
  }
  const keyAt = offset + HEADER_BYTES;
  const payloadAt = keyAt + headerKeyLength(bytes, offset);
  return {
    ok: true,
    byteLength,
    record: {
      type: headerType(bytes, offset),
      txid: headerTxid(bytes, offset),
      key: bytes.subarray(keyAt, payloadAt),
      payload: bytes.subarray(payloadAt, offset + byteLength - CRC_BYTES),
    },
  };
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)) >>>
    0
  );
}

export function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
  target[offset + 2] = value >>> 16;
  target[offset + 3] = value >>> 24;
}
