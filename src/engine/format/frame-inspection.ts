import { crc32c } from './crc32c.ts';
import {
  CRC_BYTES,
  FLAGS_OFFSET,
  HEADER_BYTES,
  KEY_LENGTH_OFFSET,
  PAYLOAD_LENGTH_OFFSET,
  RecordType,
  TXID_OFFSET,
  TYPE_OFFSET,
  VERSION_OFFSET,
} from './format.ts';
import {
  decodeFrame,
  type FrameFault,
  headerFault,
  headerFrameBytes,
  headerKeyLength,
  headerPayloadLength,
  headerTxid,
  readUint32,
  viewOf,
} from './frame.ts';

export interface InspectedField {
  readonly name: string;
  /** Bytes from the start of the frame. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** What the bytes mean, where that is more than their text. */
  readonly meaning: string;
}

export interface FrameInspection {
  /** The fields, as far as the bytes go. */
  readonly fields: readonly InspectedField[];
  readonly verdict: 'valid' | FrameFault;
}

/**
 * Takes the frame that begins at the first of `bytes` apart. Never throws: for looking at damage.
 */
export function inspectFrame(bytes: Uint8Array): FrameInspection {
  const view = viewOf(bytes);
  const decoded = decodeFrame(bytes);
  const verdict = decoded.ok ? 'valid' : decoded.fault;
  const fields: InspectedField[] = [];
  const add = (
    name: string,
    offset: number,
    length: number,
    meaning: (field: Uint8Array) => string,
  ) => {
    const field = bytes.subarray(offset, offset + length);
    if (field.length > 0)
      fields.push({
        name,
        offset,
        bytes: field,
        meaning: field.length < length ? 'cut off' : meaning(field),
      });
  };
  const uint32 = (field: Uint8Array) => String(readUint32(field, 0));
  add('magic', 0, 4, (field) => JSON.stringify(Buffer.from(field).toString('latin1')));
  add('version', VERSION_OFFSET, 2, (field) => String(Buffer.from(field).readUInt16LE()));
  add('type', TYPE_OFFSET, 1, (field) => typeName(field[0] as number));
  add('flags', FLAGS_OFFSET, 1, (field) => String(field[0]));
  add('txid', TXID_OFFSET, 8, () => String(headerTxid(view, 0)));
  add('key length', KEY_LENGTH_OFFSET, 4, uint32);
  add('payload length', PAYLOAD_LENGTH_OFFSET, 4, uint32);
  // Beyond a header that is not one, nothing says where the rest lies.
  if (bytes.length < HEADER_BYTES || headerFault(view, 0) !== undefined) return { fields, verdict };
  const keyLength = headerKeyLength(view, 0);
  const payloadLength = headerPayloadLength(view, 0);
  const crcAt = headerFrameBytes(view, 0) - CRC_BYTES;
  add('key', HEADER_BYTES, keyLength, (field) => `${field.length} bytes`);
  add('payload', HEADER_BYTES + keyLength, payloadLength, (field) => `${field.length} bytes`);
  add('crc-32c', crcAt, CRC_BYTES, (field) => {
    const stored = readUint32(field, 0);
    const computed = crc32c(bytes.subarray(0, crcAt));
    return `stored ${hex32(stored)}, computed ${hex32(computed)}`;
  });
  return { fields, verdict };
}

function typeName(type: number): string {
  const name = Object.entries(RecordType).find(([, value]) => value === type)?.[0];
  return name === undefined ? `${type}, unknown` : `${type}, ${name}`;
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
