import { crc32cOfRange } from './crc32c.ts';
import {
  CRC_BYTES,
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

/**
 * Where a frame lies. `offset` and `byteLength` in bytes; the whole frame, header and checksum
 * included.
 */
export interface RecordRef {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
}

/**
 * A decoded frame. `key` and `payload` are views: copy what must outlive the buffer they came from.
 */
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
 * Writes one frame at `offset` and returns its length in bytes. The caller has checked the limits
 * and leaves room for `frameBytes(key.length, payload.length)`.
 */
export function encodeFrame(
  target: Uint8Array,
  offset: number,
  type: RecordType,
  txid: number,
  key: Uint8Array,
  payload: Uint8Array,
  view = viewOf(target),
): number {
  encodeHeader(view, offset, type, txid, key.length, payload.length);
  target.set(key, offset + HEADER_BYTES);
  target.set(payload, offset + HEADER_BYTES + key.length);
  const crcAt = offset + HEADER_BYTES + key.length + payload.length;
  view.setUint32(crcAt, crc32cOfRange(view, offset, crcAt), true);
  return crcAt + CRC_BYTES - offset;
}

/** The 24 bytes before the key. */
export function encodeHeader(
  view: DataView,
  offset: number,
  type: RecordType,
  txid: number,
  keyLength: number,
  payloadLength: number,
): void {
  view.setUint32(offset, MAGIC_UINT32, true);
  // With flags of 0.
  view.setUint32(offset + VERSION_OFFSET, WIRE_VERSION | (type << 16), true);
  view.setUint32(offset + TXID_OFFSET, txid, true);
  view.setUint32(offset + TXID_OFFSET + 4, Math.floor(txid / TWO_TO_32), true);
  view.setUint32(offset + KEY_LENGTH_OFFSET, keyLength, true);
  view.setUint32(offset + PAYLOAD_LENGTH_OFFSET, payloadLength, true);
}

/**
 * What is wrong with the header at `offset`, or undefined. Needs `HEADER_BYTES` bytes there; looks
 * at the fields in the order in which they stand, so that the first wrong one is named.
 */
export function headerFault(view: DataView, offset: number): FrameFault | undefined {
  if (view.getUint32(offset, true) !== MAGIC_UINT32) return 'bad-magic';
  const versionTypeFlags = view.getUint32(offset + VERSION_OFFSET, true);
  if ((versionTypeFlags & 0xffff) !== WIRE_VERSION) return 'unknown-version';
  if (((versionTypeFlags >>> 16) & 0xff) > MAX_RECORD_TYPE) return 'unknown-type';
  if (versionTypeFlags >>> 24 !== 0) return 'nonzero-flags';
  const txid = headerTxid(view, offset);
  if (txid === 0 || txid > Number.MAX_SAFE_INTEGER) return 'txid-out-of-range';
  if (headerKeyLength(view, offset) > MAX_KEY_BYTES) return 'key-too-long';
  if (headerPayloadLength(view, offset) > MAX_PAYLOAD_BYTES) return 'payload-too-long';
  return undefined;
}

export function headerType(view: DataView, offset: number): RecordType {
  return view.getUint8(offset + TYPE_OFFSET) as RecordType;
}

export function headerTxid(view: DataView, offset: number): number {
  return (
    view.getUint32(offset + TXID_OFFSET + 4, true) * TWO_TO_32 +
    view.getUint32(offset + TXID_OFFSET, true)
  );
}

export function headerKeyLength(view: DataView, offset: number): number {
  return view.getUint32(offset + KEY_LENGTH_OFFSET, true);
}

export function headerPayloadLength(view: DataView, offset: number): number {
  return view.getUint32(offset + PAYLOAD_LENGTH_OFFSET, true);
}

/** Whole length of the frame whose valid header stands at `offset`. */
export function headerFrameBytes(view: DataView, offset: number): number {
  return frameBytes(headerKeyLength(view, offset), headerPayloadLength(view, offset));
}

/**
 * Is the header at `offset` that of a frame of this length? In few steps, since it is asked at
 * every read.
 */
export function isFrameOf(view: DataView, offset: number, byteLength: number): boolean {
  const typeAndFlags = view.getUint16(offset + TYPE_OFFSET, true);
  return (
    view.getUint32(offset, true) === MAGIC_UINT32 &&
    view.getUint16(offset + VERSION_OFFSET, true) === WIRE_VERSION &&
    typeAndFlags <= MAX_RECORD_TYPE &&
    headerFrameBytes(view, offset) === byteLength
  );
}

/** Does the checksum of the whole frame in `[offset, offset + byteLength)` hold? */
export function crcHolds(view: DataView, offset: number, byteLength: number): boolean {
  const crcAt = offset + byteLength - CRC_BYTES;
  return crc32cOfRange(view, offset, crcAt) === view.getUint32(crcAt, true);
}

/**
 * Decodes the frame at `offset` of any bytes at all, without throwing and without reading past
 * `end`.
 */
export function decodeFrame(bytes: Uint8Array, offset = 0, end = bytes.length): DecodedFrame {
  if (end - offset < HEADER_BYTES) return { ok: false, fault: 'truncated', claimedBytes: 0 };
  const view = viewOf(bytes);
  const fault = headerFault(view, offset);
  if (fault !== undefined) return { ok: false, fault, claimedBytes: 0 };
  const byteLength = headerFrameBytes(view, offset);
  if (byteLength > end - offset) return { ok: false, fault: 'truncated', claimedBytes: byteLength };
  if (!crcHolds(view, offset, byteLength)) {
    return { ok: false, fault: 'crc-mismatch', claimedBytes: byteLength };
  }
  return { ok: true, byteLength, record: recordIn(bytes, view, offset, byteLength) };
}

/** The record of the valid frame at `offset`; `view` is of the same bytes. */
export function recordIn(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  byteLength: number,
): LogRecord {
  const keyAt = offset + HEADER_BYTES;
  const payloadAt = keyAt + headerKeyLength(view, offset);
  return {
    type: headerType(view, offset),
    txid: headerTxid(view, offset),
    key: bytes.subarray(keyAt, payloadAt),
    payload: bytes.subarray(payloadAt, offset + byteLength - CRC_BYTES),
  };
}

/** Loads and stores of several bytes at once, which a `Buffer` can only do one by one. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
