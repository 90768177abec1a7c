import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreError, wrapSystemError } from './errors.ts';
import { closeQuietly, type FileSystem } from './file-system.ts';
import { CRC_BYTES } from './format.ts';
import type { FrameFault } from './frame.ts';
import { NodeFileSystem } from './node-file-system.ts';
import { RecordLog } from './record-log.ts';
import { type LogSegment, listSegments } from './segment-list.ts';
import { segmentPath } from './segment-name.ts';
import { SCAN_CHUNK_BYTES, SegmentScanner } from './segment-scanner.ts';
import { buildStore } from './store-directory.ts';
import { findFrame } from './tail-evidence.ts';

/** Bytes of the source that no valid frame covers. */
export interface LostRange {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  readonly damage: FrameFault;
}

export interface SalvageReport {
  readonly recordsKept: number;
  readonly lost: readonly LostRange[];
  /** Ids between the lowest and the highest that have no file, ascending; only the first 10,000 of them. */
  readonly missingSegments: readonly number[];
  readonly missingSegmentCount: number;
}

/**
 * Copies every valid frame of a damaged log, in log order and with new txids, into a new log, and lists what lay
 * between them. The source is only read. Deletes are copied as well; what a lost range held, a Delete included, is
 * not known, so a salvaged store may hold older values than the damaged one did. The target is there whole, or not at all.
 *
 * Throws `NOT_FOUND` (no log in the source), `TARGET_NOT_EMPTY`, `PERMISSION_DENIED` or `IO_FAILED`.
 */
export async function salvage(
  sourceDirectory: string,
  targetDirectory: string,
  fileSystem: FileSystem = new NodeFileSystem(),
): Promise<SalvageReport> {
  const source = resolve(sourceDirectory);
  const target = resolve(targetDirectory);
  try {
    const segments = listSegments(fileSystem, source);
    if (segments.length === 0)
      throw new StoreError('NOT_FOUND', `there is no store in ${source}`, { path: source });
    return await buildStore(fileSystem, target, (directory) =>
      salvageInto(fileSystem, source, segments, directory),
    );
  } catch (error) {
    throw wrapSystemError(error, 'salvage', source);
  }
}

async function salvageInto(
  fileSystem: FileSystem,
  source: string,
  segments: readonly LogSegment[],
  directory: string,
): Promise<SalvageReport> {
  const log = await RecordLog.open(directory, { fileSystem });
  const lost: LostRange[] = [];
  let recordsKept = 0;
  try {
    for (const segment of segments) {
      recordsKept += salvageSegment(fileSystem, source, segment, log, lost);
      await nextTurn();
    }
  } finally {
    await log.close();
  }
  return { recordsKept, lost, ...missingBetween(segments) };
}

function salvageSegment(
  fileSystem: FileSystem,
  directory: string,
  { segmentId, sizeBytes }: LogSegment,
  log: RecordLog,
  lost: LostRange[],
): number {
  const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
  try {
    const chunk = Buffer.allocUnsafeSlow(SCAN_CHUNK_BYTES);
    const file = { fileSystem, descriptor, sizeBytes };
    let recordsKept = 0;
    for (let startOffset = 0; startOffset < sizeBytes; ) {
      const frame = new SegmentScanner({
        fileSystem,
        site: 'verify',
        descriptor,
        segmentId,
        startOffset,
        endOffset: sizeBytes,
        chunk,
      });
      let state = frame.next();
      for (; state === 'frame'; state = frame.next()) {
        copyFrame(frame, log);
        recordsKept++;
      }
      if (state === 'end') break;
      const next = findFrame(file, frame.offset + 1, sizeBytes, 0).found;
      startOffset = next?.offset ?? sizeBytes;
      lost.push({
        segmentId,
        offset: frame.offset,
        byteLength: startOffset - frame.offset,
        damage: frame.fault,
      });
    }
    return recordsKept;
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}

function copyFrame(frame: SegmentScanner, log: RecordLog): void {
  const payloadAt = frame.keyAt + frame.keyLength;
  log.appendRecord(
    frame.type,
    frame.bytes.subarray(frame.keyAt, payloadAt),
    frame.bytes.subarray(payloadAt, frame.frameAt + frame.byteLength - CRC_BYTES),
  );
}

/** A directory may hold segments 1 and 99,999,999: what is between is counted, and not listed. */
const MOST_MISSING_LISTED = 10_000;

function missingBetween(
  segments: readonly LogSegment[],
): Pick<SalvageReport, 'missingSegments' | 'missingSegmentCount'> {
  const missingSegments: number[] = [];
  let missingSegmentCount = 0;
  let next = segments[0]?.segmentId ?? 0;
  for (const { segmentId } of segments) {
    missingSegmentCount += segmentId - next;
    for (; next < segmentId && missingSegments.length < MOST_MISSING_LISTED; next++)
      missingSegments.push(next);
    next = segmentId + 1;
  }
  return { missingSegments, missingSegmentCount };
}
