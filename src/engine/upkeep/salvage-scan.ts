import { segmentPath } from '../format/segment-name.ts';
import { BadBlocks } from '../host/bad-blocks.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import { digestOf, type Seal } from '../seal/seal-file.ts';
import type { SealInventory } from '../seal/seal-inventory.ts';
import { FrameCursor, SCAN_CHUNK_BYTES } from '../segment/frame-cursor.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { findFrame } from '../segment/tail-evidence.ts';
import { RangesOfSegment } from './lost-ranges.ts';

/** Valid frames behind each other whose txids increase. */
export interface FrameRun {
  readonly segmentId: number;
  readonly startOffset: number;
  endOffset: number;
  readonly firstTxid: number;
  lastTxid: number;
  /** Is the segment wholly what its own seal says? Of two records with one txid its own counts. */
  isVouched: boolean;
}

export interface ScannedSegment {
  readonly segmentId: number;
  readonly sizeBytes: number;
  readonly runs: readonly FrameRun[];
  /** What no valid frame covers. */
  readonly ranges: RangesOfSegment;
  /** What its own seal says of it; `unknown` without one, or where bytes are damaged. */
  readonly sealed: 'agrees' | 'contradicts' | 'unknown';
}

/** Finds every valid frame of a segment. `inventory` is told of them. */
export async function scanForSalvage(
  fileSystem: FileSystem,
  directory: string,
  { segmentId, sizeBytes }: LogSegment,
  seal: Seal | undefined,
  inventory: SealInventory | undefined,
  turns: Turns,
): Promise<ScannedSegment> {
  const ranges = new RangesOfSegment(segmentId);
  const runs: FrameRun[] = [];
  let sealed: ScannedSegment['sealed'] = 'unknown';
  if (sizeBytes > 0) {
    const bad = new BadBlocks(fileSystem);
    const files = new StoreFiles(bad.reads, directory);
    await files.use(segmentPath(directory, segmentId), 'read', async (file) => {
      await scanFrames(bad, file, { segmentId, sizeBytes }, runs, ranges, inventory, turns);
      if (ranges.count === 0 && seal !== undefined && seal.byteLength <= sizeBytes) {
        const digest = await digestOf(file, seal.byteLength, turns);
        sealed = digest?.equals(seal.digest) ? 'agrees' : 'contradicts';
      }
    });
  } else if (seal?.byteLength === 0) sealed = 'agrees';
  for (const run of runs) run.isVouched = sealed === 'agrees';
  return { segmentId, sizeBytes, runs, ranges, sealed };
}

async function scanFrames(
  bad: BadBlocks,
  file: OpenFile,
  { segmentId, sizeBytes }: LogSegment,
  runs: FrameRun[],
  ranges: RangesOfSegment,
  inventory: SealInventory | undefined,
  turns: Turns,
): Promise<void> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(SCAN_CHUNK_BYTES, sizeBytes));
  for (let startOffset = 0; startOffset < sizeBytes; ) {
    const frame = new FrameCursor({
      file,
      site: 'verify',
      segmentId,
      startOffset,
      endOffset: sizeBytes,
      chunk,
    });
    let state = frame.next();
    for (; state === 'frame'; state = frame.next()) {
      addToRuns(runs, segmentId, frame);
      inventory?.sawFrame(frame.offset, frame.type, frame.txid);
      if (turns.isDue(frame.byteLength)) await turns.next();
    }
    if (state === 'end') return;
    const search = findFrame({ file, sizeBytes }, frame.offset + 1, sizeBytes, 0, turns);
    const next = (await search).found;
    startOffset = next?.offset ?? sizeBytes;
    const byteLength = startOffset - frame.offset;
    const isUnreadable = bad.lieIn(frame.offset, byteLength);
    ranges.add(frame.offset, byteLength, isUnreadable ? 'unreadable' : frame.fault);
  }
}

function addToRuns(runs: FrameRun[], segmentId: number, frame: FrameCursor): void {
  const { offset, byteLength, txid } = frame;
  const last = runs.at(-1);
  if (last !== undefined && last.endOffset === offset && txid > last.lastTxid) {
    last.endOffset = offset + byteLength;
    last.lastTxid = txid;
    return;
  }
  runs.push({
    segmentId,
    startOffset: offset,
    endOffset: offset + byteLength,
    firstTxid: txid,
    lastTxid: txid,
    isVouched: false,
  });
}
