import { StoreError } from './errors.ts';
import { closeQuietly, type FileSystem } from './file-system.ts';
import { CRC_BYTES, HEADER_BYTES } from './format.ts';
import type { LogRecord, RecordRef } from './frame.ts';
import { nowNs } from './probe.ts';
import type { ProbeSet } from './probe-set.ts';
import type { LogSegment } from './segment-list.ts';
import { placeName, segmentPath } from './segment-name.ts';
import { SegmentScanner, scanChunk } from './segment-scanner.ts';

export interface ScannedRecord extends LogRecord {
  readonly ref: RecordRef;
}

/** The records of whole segments, in log order, each with bytes of its own. Throws at the first invalid frame. */
export function* scanSegments(
  fileSystem: FileSystem,
  directory: string,
  segments: readonly LogSegment[],
  probe: ProbeSet | undefined,
  /** Told 1 for each file that is opened, and -1 when it is closed. */
  onDescriptors: (change: 1 | -1) => void = () => {},
): Generator<ScannedRecord> {
  const operation = probe?.begin('scan') ?? 0;
  const startNs = probe === undefined ? 0 : nowNs();
  let records = 0;
  let failure: StoreError | undefined;
  try {
    for (const record of scanFrames(fileSystem, directory, segments, probe, operation, onDescriptors)) {
      records++;
      yield record;
    }
  } catch (error) {
    if (error instanceof StoreError) failure = error;
    throw error;
  } finally {
    probe?.scanned?.(operation, records, startNs, nowNs() - startNs, failure);
  }
}

function* scanFrames(
  fileSystem: FileSystem,
  directory: string,
  segments: readonly LogSegment[],
  probe: ProbeSet | undefined,
  operation: number,
  onDescriptors: (change: 1 | -1) => void,
): Generator<ScannedRecord> {
  const chunk = scanChunk(segments);
  for (const { segmentId, sizeBytes } of segments) {
    if (sizeBytes === 0) continue;
    const descriptor = openToScan(fileSystem, directory, segmentId);
    onDescriptors(1);
    try {
      const frame = new SegmentScanner({
        fileSystem,
        probe,
        operation,
        site: 'scan',
        descriptor,
        segmentId,
        endOffset: sizeBytes,
        chunk,
      });
      for (let state = frame.next(); state !== 'end'; state = frame.next()) {
        if (state === 'damaged') throw damagedFrame(segmentId, frame);
        yield copyRecord(segmentId, frame);
      }
    } finally {
      closeQuietly(fileSystem, descriptor);
      onDescriptors(-1);
    }
  }
}

function openToScan(fileSystem: FileSystem, directory: string, segmentId: number): number {
  const path = segmentPath(directory, segmentId);
  try {
    return fileSystem.open(path, 'read');
  } catch (error) {
    throw new StoreError('READ_FAILED', `cannot open ${path}`, { cause: error, path, segmentId });
  }
}

export function copyRecord(segmentId: number, frame: SegmentScanner): ScannedRecord {
  const { offset, byteLength, frameAt, keyLength } = frame;
  const bytes = Buffer.allocUnsafe(byteLength - HEADER_BYTES - CRC_BYTES);
  frame.bytes.copy(bytes, 0, frameAt + HEADER_BYTES, frameAt + byteLength - CRC_BYTES);
  return {
    ref: { segmentId, offset, byteLength },
    type: frame.type,
    txid: frame.txid,
    key: bytes.subarray(0, keyLength),
    payload: bytes.subarray(keyLength),
  };
}

export function damagedFrame(segmentId: number, frame: SegmentScanner): StoreError {
  const code = frame.fault === 'crc-mismatch' ? 'CRC_MISMATCH' : 'FRAME_MISMATCH';
  return new StoreError(code, `${frame.fault} at ${placeName(segmentId, frame.offset)}`, {
    segmentId,
    offset: frame.offset,
    reason: frame.fault,
  });
}
