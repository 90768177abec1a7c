import { join } from 'node:path';
import { crc32c } from '../../src/engine/format/crc32c.ts';
import { SLOT_BYTES } from '../../src/engine/format/slot-file.ts';
import type { FileSystem } from '../../src/engine/index.ts';
import { MARK_FILE, readMark } from '../../src/engine/lock/durable-mark.ts';
import { encodeMarkedHoldings, LogHoldings } from '../../src/engine/lock/log-holdings.ts';
import { heldSegment } from '../../src/engine/recovery/directory-evidence.ts';
import { isMerged, readSealHeader, type Seal } from '../../src/engine/seal/seal-file.ts';
import { SealSet } from '../../src/engine/seal/seal-set.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';

/** Where a slot's body has what lies before the mark, from the start of its block. */
const SEGMENT_ID_AT = 16 + 32;
const HOLDINGS_AT = 16 + 53;

/**
 * Writes into both slots of the mark what a merge writes there before it publishes its output: what
 * lies before the mark now, and what will with the output in its place. The slots keep their
 * sequences, so that a writer that is open does not notice.
 */
export function announceMerge(
  fileSystem: FileSystem,
  directory: string,
  ids: readonly number[],
  output: Seal,
): void {
  const { newest } = readMark(fileSystem, directory);
  if (newest?.mark.holdings === undefined) return;
  const segments = listSegments(fileSystem, directory);
  const seals = SealSet.of(
    segments.flatMap(({ segmentId }) => readSealHeader(fileSystem, directory, segmentId) ?? []),
  );
  const held = segments.map((segment) => heldSegment(segment, seals, new Map()));
  const holdings = new LogHoldings(held);
  holdings.beginMerge(ids, {
    segmentId: output.segmentId,
    sizeBytes: output.byteLength,
    mergedDigest: isMerged(output) ? output.digest : undefined,
  });
  const descriptor = fileSystem.open(join(directory, MARK_FILE), 'write');
  const slot = Buffer.alloc(SLOT_BYTES);
  for (const position of [0, SLOT_BYTES]) {
    fileSystem.read(descriptor, slot, 0, SLOT_BYTES, position);
    const crcAt = 16 + slot.readUInt16LE(6);
    encodeMarkedHoldings(holdings.before(slot.readUInt32LE(SEGMENT_ID_AT)), slot, HOLDINGS_AT);
    slot.writeUInt32LE(crc32c(slot.subarray(0, crcAt)), crcAt);
    fileSystem.write(descriptor, slot, 0, SLOT_BYTES, position);
  }
  fileSystem.close(descriptor);
}
