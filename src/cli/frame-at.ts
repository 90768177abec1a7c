import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import {
  type FrameInspection,
  inspectFrame,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
} from '../engine/index.ts';
import { CommandError } from './failure.ts';
import { type Place, placeName, segmentFile } from './place.ts';

const HEADER_BYTES = 24;
const KEY_LENGTH_AT = 16;
const PAYLOAD_LENGTH_AT = 20;
const CRC_BYTES = 4;

/** Takes the bytes at a place apart, whether or not a frame begins there. */
export function inspectAt(directory: string, place: Place): FrameInspection {
  const path = join(directory, segmentFile(place.segmentId));
  let descriptor: number;
  try {
    // Opening a FIFO would wait for a writer, and no signal would end that.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CommandError(
      isMissing ? `${path} does not exist` : `cannot read ${path}: ${(error as Error).message}`,
    );
  }
  try {
    if (!fstatSync(descriptor).isFile()) throw new CommandError(`${path} is no plain file`);
    const header = readRange(descriptor, place.offset, HEADER_BYTES);
    if (header.length === 0) throw new CommandError(`the segment ends before ${placeName(place)}`);
    if (header.length < HEADER_BYTES) return inspectFrame(header);
    // As many bytes as the header claims, and never more than a frame can have.
    const contentBytes =
      Math.min(header.readUInt32LE(KEY_LENGTH_AT), MAX_KEY_BYTES) +
      Math.min(header.readUInt32LE(PAYLOAD_LENGTH_AT), MAX_PAYLOAD_BYTES);
    return inspectFrame(
      readRange(descriptor, place.offset, HEADER_BYTES + contentBytes + CRC_BYTES),
    );
  } finally {
    closeSync(descriptor);
  }
}

function readRange(descriptor: number, position: number, limitBytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < limitBytes; ) {
    // In pieces: a damaged length must not cost memory that the file does not fill.
    const piece = Buffer.alloc(Math.min(1024 * 1024, limitBytes - at));
    const count = readSync(descriptor, piece, 0, piece.length, position + at);
    if (count === 0) break;
    pieces.push(piece.subarray(0, count));
    at += count;
  }
  return Buffer.concat(pieces);
}
