import { resolve } from 'node:path';
import { CRC_BYTES } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { BadBlocks } from '../host/bad-blocks.ts';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import { closeQuietly, type FileSystem } from '../host/file-system.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { checkPath } from '../host/options.ts';
import { FILE_WORK_BYTES, Turns } from '../host/turns.ts';
import { type DurableMark, readMark } from '../lock/durable-mark.ts';
import { OpenLog } from '../log/open-log.ts';
import type { Seal } from '../seal/seal-file.ts';
import { SealSet } from '../seal/seal-set.ts';
import { SealWitness } from '../seal/seal-witness.ts';
import { type LogSegment, listSegments } from '../segment/segment-list.ts';
import { SCAN_CHUNK_BYTES, SegmentScanner } from '../segment/segment-scanner.ts';
import { findFrame } from '../segment/tail-evidence.ts';
import { buildStore } from './build-store.ts';
import { type LostRange, LostRanges, RangesOfSegment } from './lost-ranges.ts';

/** Read and copied between two turns of the event loop. */
const BYTES_A_TURN = 1024 * 1024;

export interface SalvageReport {
  readonly recordsKept: number;
  /** In log order, the first 10,000. */
  readonly lost: readonly LostRange[];
  /** Of all of them, listed or not. */
  readonly lostCount: number;
  readonly lostBytes: number;
  /**
   * Ids that have no file, ascending, from the lowest that has one to the highest that has one, or
   * a seal, or the mark; the first 10,000 of them.
   */
  readonly missingSegments: readonly number[];
  readonly missingSegmentCount: number;
}

/**
 * Copies every valid frame of a damaged log, in log order and with new txids, into a new log, and
 * lists what lay between them. The source is only read. Deletes are copied as well; what a lost
 * range held, a Delete included, is known only by its keys and only where a seal file names them,
 * so a salvaged store may hold older values than the damaged one did. The target is there whole, or
 * not at all.
 *
 * Throws `NOT_FOUND` (no log in the source), `TARGET_NOT_EMPTY`, `PERMISSION_DENIED` or
 * `IO_FAILED`.
 */
export async function salvage(
  sourceDirectory: string,
  targetDirectory: string,
  fileSystem: FileSystem = new NodeFileSystem(),
): Promise<SalvageReport> {
  const source = resolve(checkPath(sourceDirectory, 'the directory to salvage'));
  const target = resolve(checkPath(targetDirectory, 'the target directory'));
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
  const turns = new Turns(BYTES_A_TURN);
  const sidecars = await readSidecars(fileSystem, source, turns);
  const log = await OpenLog.open(directory, { fileSystem });
  const lost = new LostRanges();
  let recordsKept = 0;
  try {
    for (const segment of withLostSegments(segments, sidecars)) {
      const { mark } = sidecars;
      recordsKept += await salvageSegment(fileSystem, source, segment, mark, log, lost, turns);
      await turns.after(FILE_WORK_BYTES);
    }
  } finally {
    await log.close();
  }
  return {
    recordsKept,
    lost: lost.listed,
    lostCount: lost.count,
    lostBytes: lost.byteLength,
    ...missingBetween(segments, sidecars),
  };
}

/** What lies beside the segments and says what they held. */
interface Sidecars {
  readonly mark: DurableMark | undefined;
  readonly seals: SealSet | undefined;
}

/** Nothing, where the disk does not give them: salvage needs none. */
async function readSidecars(
  fileSystem: FileSystem,
  directory: string,
  turns: Turns,
): Promise<Sidecars> {
  let mark: DurableMark | undefined;
  try {
    mark = readMark(fileSystem, directory).newest?.mark;
    return { mark, seals: await SealSet.read(fileSystem, directory, mark?.storeId, turns) };
  } catch {
    return { mark, seals: undefined };
  }
}

/** The highest id of which anything knows. */
function highestId(segments: readonly LogSegment[], { mark, seals }: Sidecars): number {
  return Math.max(
    segments.at(-1)?.segmentId ?? 0,
    mark?.segmentId ?? 0,
    seals?.last?.segmentId ?? 0,
  );
}

interface SalvagedSegment extends LogSegment {
  readonly isMissing: boolean;
  /** None where a merge took what was here: that is elsewhere, and not lost. */
  readonly seal: Seal | undefined;
}

/**
 * Those behind the first one that have no file, and of which seal or mark tells, are in the list as
 * well.
 */
function withLostSegments(
  segments: readonly LogSegment[],
  { mark, seals }: Sidecars,
): SalvagedSegment[] {
  const present = new Map(segments.map((segment) => [segment.segmentId, segment]));
  const known = [...(seals ?? []), ...(mark === undefined ? [] : [mark])].map(
    ({ segmentId }) => segmentId,
  );
  const lowestId = segments.find(({ sizeBytes }) => sizeBytes > 0)?.segmentId ?? 0;
  const gone = known.filter((segmentId) => segmentId > lowestId);
  const ids = [...new Set([...present.keys(), ...gone])].sort((a, b) => a - b);
  const absorbed = seals?.covered(ids);
  return ids.map((segmentId) => ({
    segmentId,
    sizeBytes: present.get(segmentId)?.sizeBytes ?? 0,
    isMissing: !present.has(segmentId),
    seal: absorbed?.has(segmentId) ? undefined : seals?.of(segmentId),
  }));
}

async function salvageSegment(
  fileSystem: FileSystem,
  source: string,
  segment: SalvagedSegment,
  mark: DurableMark | undefined,
  log: OpenLog,
  lost: LostRanges,
  turns: Turns,
): Promise<number> {
  const { segmentId, sizeBytes, isMissing, seal } = segment;
  const witness =
    seal === undefined ? undefined : new SealWitness(fileSystem, source, seal, sizeBytes);
  const ranges = new RangesOfSegment(segmentId);
  const recordsKept =
    sizeBytes === 0
      ? 0
      : await copyFrames(fileSystem, source, segment, log, ranges, witness, turns);
  const mayTell =
    witness !== undefined &&
    ranges.isListed &&
    (ranges.count > 0 || sizeBytes < witness.seal.byteLength);
  const believed = mayTell && witness.isBelieved(ranges.listed) ? witness : undefined;
  const markedEnd = mark?.segmentId === segmentId ? mark.offset : 0;
  const knownEnd = Math.max(believed?.seal.byteLength ?? 0, markedEnd);
  if (knownEnd > sizeBytes)
    ranges.add(
      sizeBytes,
      knownEnd - sizeBytes,
      isMissing ? 'missing-segment' : 'segment-too-short',
    );
  lost.add(ranges, believed);
  return recordsKept;
}

/** Returns how many there were. */
async function copyFrames(
  fileSystem: FileSystem,
  directory: string,
  { segmentId, sizeBytes }: LogSegment,
  log: OpenLog,
  lost: RangesOfSegment,
  witness: SealWitness | undefined,
  turns: Turns,
): Promise<number> {
  const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
  try {
    const chunk = Buffer.allocUnsafeSlow(SCAN_CHUNK_BYTES);
    const bad = new BadBlocks(fileSystem);
    const file = { fileSystem: bad.reads, descriptor, sizeBytes };
    let recordsKept = 0;
    for (let startOffset = 0; startOffset < sizeBytes; ) {
      const frame = new SegmentScanner({
        fileSystem: bad.reads,
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
        witness?.sawFrame(frame.offset, frame.type, frame.txid);
        recordsKept++;
        if (turns.isDue(frame.byteLength)) await turns.next();
      }
      if (state === 'end') break;
      const next = (await findFrame(file, frame.offset + 1, sizeBytes, 0, turns)).found;
      startOffset = next?.offset ?? sizeBytes;
      const byteLength = startOffset - frame.offset;
      const isUnreadable = bad.lieIn(frame.offset, byteLength);
      lost.add(frame.offset, byteLength, isUnreadable ? 'unreadable' : frame.fault);
    }
    return recordsKept;
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}

function copyFrame(frame: SegmentScanner, log: OpenLog): void {
  const payloadAt = frame.keyAt + frame.keyLength;
  log.writer.append(
    frame.type,
    frame.bytes.subarray(frame.keyAt, payloadAt),
    frame.bytes.subarray(payloadAt, frame.frameAt + frame.byteLength - CRC_BYTES),
  );
}

/** A directory may hold segments 1 and 99,999,999: what is between is counted, and not listed. */
const MOST_MISSING_LISTED = 10_000;

function missingBetween(
  segments: readonly LogSegment[],
  sidecars: Sidecars,
): Pick<SalvageReport, 'missingSegments' | 'missingSegmentCount'> {
  const missingSegments: number[] = [];
  let missingSegmentCount = 0;
  let next = segments[0]?.segmentId ?? 0;
  const behind = { segmentId: highestId(segments, sidecars) + 1 };
  for (const { segmentId } of [...segments, behind]) {
    missingSegmentCount += segmentId - next;
    for (; next < segmentId && missingSegments.length < MOST_MISSING_LISTED; next++)
      missingSegments.push(next);
    next = segmentId + 1;
  }
  return { missingSegments, missingSegmentCount };
}
