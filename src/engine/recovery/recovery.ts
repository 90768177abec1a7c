import { FIRST_SEGMENT_ID, HEADER_BYTES } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { callBack } from '../host/errors.ts';

import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import type { DurableMark } from '../lock/durable-mark.ts';
import type { HintRun } from '../seal/hint-block.ts';
import { followsPredecessor, sealContradiction } from '../seal/seal-check.ts';
import type { Seal } from '../seal/seal-file.ts';
import { HintReader } from '../seal/seal-hints.ts';
import type { SealSet } from '../seal/seal-set.ts';
import { FrameCursor, scanChunk } from '../segment/frame-cursor.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { findFrame, isUnfinishedStart, type SegmentFile } from '../segment/tail-evidence.ts';
import { refusal } from './recovery-refusal.ts';
import type { Discarded } from './recovery-report.ts';
import { type Damage, type DamageEvidence, judgeDamage } from './recovery-verdict.ts';

/**
 * Finds the longest valid prefix of a log and judges what ends it. Changes nothing on disk: what a
 * writer does about a torn tail is in repair.ts, and a reader does nothing at all.
 */

/**
 * `prefix` keeps what precedes a torn tail; `strict` refuses to open on one. Corruption is always
 * refused.
 */
export type RecoveryMode = 'prefix' | 'strict';

export interface LogFindings {
  /** Ascending, empty ones included. */
  readonly segments: readonly LogSegment[];
  readonly recordCount: number;
  /** Segments that were not read, because their seals say what is in them. */
  readonly segmentsFromSeals: number;
  /** The position before which everything was on stable storage, by the mark or the last seal. */
  readonly durable: { readonly segmentId: number; readonly offset: number };
  /** 0 when there is no record. */
  readonly lastTxid: number;
  /** The discarded ranges in log order. The first is the damaged one; the others lie behind it. */
  readonly discarded: readonly Discarded[];
  /** Ids that should be there and are not; only ever behind the damage. */
  readonly missingIds: readonly number[];
}

export interface RecoveryScanOptions {
  readonly files: StoreFiles;
  /** The segments that `listSegments` gave. A reader scans no further than it had listed. */
  readonly segments: readonly LogSegment[];
  readonly mark: DurableMark | undefined;
  readonly seals: SealSet;
  /** Read every segment, also where a seal would do. */
  readonly full: boolean;
  /** Does `.lock` carry the mark's nonce? */
  readonly witnessed: boolean;
  readonly mode: RecoveryMode;
  readonly acceptAmbiguousTail: boolean;
  readonly probe: ProbeSet | undefined;
  /** The opening on whose behalf this scans. */
  readonly operation: number;
  /** What is built from the records; hints are not read where nothing is. */
  readonly target: { replay(logBytes: number): LogReplay } | undefined;
  readonly turns: Turns;
  /** Called at each turn, and at the end. */
  readonly onProgress?: ((scannedBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Is told of every kept record, in log order. The log is `logEnd` bytes long up to where it was
 * read.
 */
export interface LogReplay {
  /** The cursor is only valid during the call. */
  frame(segmentId: number, frame: FrameCursor, logEnd: number): void;
  /** Instead, for segments that are not read. The run is only valid during the call. */
  hints(segmentId: number, run: HintRun, logEnd: number): void;
  /** There is no more. */
  finish(): void;
}

/**
 * A writer never has more records than these unsynced, so that txids can be set aside for all of
 * them.
 */
export const MAX_UNSYNCED_RECORDS = 2 ** 19;

/**
 * Scans all segments, or throws `STORE_CORRUPT`, `AMBIGUOUS_TAIL` or (in strict mode) `TORN_TAIL`.
 */
export async function scanLog(options: RecoveryScanOptions): Promise<LogFindings> {
  const scan = new RecoveryScan(options);
  await scan.run();
  scan.finish();
  return scan.result();
}

/** What a slice of a scan ended at. */
type ScanState = 'turn' | 'end' | Damage;

class RecoveryScan {
  private readonly options: RecoveryScanOptions;
  private readonly mark: DurableMark | undefined;
  private readonly witnessed: boolean;
  private readonly segments: readonly LogSegment[];
  private readonly totalBytes: number;
  private readonly chunk: Buffer;
  private readonly durable: { readonly segmentId: number; readonly offset: number };
  private readonly replay: LogReplay | undefined;
  private hintChunk: Buffer | undefined;
  private scannedBytes = 0;
  private recordCount = 0;
  private segmentsFromSeals = 0;
  private lastTxid = 0;
  /** The txid that the next record must have, once the mark has been passed. */
  private expectedTxid: number | undefined;
  /** Where the valid log ends, when it ends before the last segment does. */
  private end: { segmentId: number; offset: number; damage: Damage; because: string } | undefined;

  constructor(options: RecoveryScanOptions) {
    this.options = options;
    this.mark = options.mark;
    this.witnessed = options.witnessed && options.mark !== undefined;
    this.segments = options.segments;
    this.totalBytes = this.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.replay = options.target?.replay(this.totalBytes);
    this.chunk = scanChunk(this.segments);
    this.durable = laterOf(this.mark ?? { segmentId: 0, offset: 0 }, this.sealedEnd());
  }

  result(): LogFindings {
    const { end } = this;
    const keptBytes = ({ segmentId, sizeBytes }: LogSegment) =>
      end === undefined || segmentId < end.segmentId
        ? sizeBytes
        : segmentId === end.segmentId
          ? end.offset
          : 0;
    const discarded: Discarded[] = [];
    for (const segment of this.segments) {
      const offset = keptBytes(segment);
      if (end === undefined || segment.sizeBytes === offset) continue;
      const { damage, because } = end;
      discarded.push({
        segmentId: segment.segmentId,
        offset,
        byteLength: segment.sizeBytes - offset,
        damage,
        because,
      });
    }
    const missingIds: number[] = [];
    this.segments.forEach(({ segmentId }, index) => {
      const before = this.segments[index - 1]?.segmentId ?? segmentId - 1;
      for (let missing = before + 1; missing < segmentId; missing++) missingIds.push(missing);
    });
    return {
      segments: this.segments.map((segment) => ({
        segmentId: segment.segmentId,
        sizeBytes: keptBytes(segment),
      })),
      recordCount: this.recordCount,
      segmentsFromSeals: this.segmentsFromSeals,
      durable: { segmentId: this.durable.segmentId, offset: this.durable.offset },
      lastTxid: this.lastTxid,
      discarded,
      missingIds,
    };
  }

  finish(): void {
    this.replay?.finish();
    callBack(this.options.onProgress, this.totalBytes, this.totalBytes);
  }

  async run(): Promise<void> {
    const { mark, segments } = this;
    let expectedId = segments[0]?.segmentId ?? 1;
    // Empty segments in front are removed only after the mark has moved past them.
    if (mark !== undefined && mark.segmentId < expectedId) expectedId = mark.segmentId;
    for (const segment of segments) {
      if (segment.segmentId !== expectedId)
        return this.endLog(expectedId, 0, 'missing-segment', 'none');
      await this.takeSegment(segment);
      if (this.end !== undefined) return;
      await this.afterWork(FILE_WORK_BYTES, this.scannedBytes);
      expectedId++;
    }
    if (this.durable.segmentId >= expectedId) {
      const missed =
        mark !== undefined && mark.segmentId >= expectedId ? 'ends-before-mark' : 'missing-segment';
      this.endLog(this.durable.segmentId, 0, missed, 'none');
    }
  }

  /** Takes a segment by its seal, or by reading it. */
  private async takeSegment(segment: LogSegment): Promise<void> {
    const seal = this.options.seals.of(segment.segmentId);
    if (seal === undefined) return this.scanSegment(segment);
    const fault = await this.sealFault(segment, seal);
    if (fault !== undefined) {
      const isShort = fault === 'ends-before-seal' || fault === 'ends-before-mark';
      return this.endLog(segment.segmentId, isShort ? segment.sizeBytes : 0, fault, 'none');
    }
    // datawal may have gone on in a segment that we had sealed: the seal proves what it covers, the
    // rest is scanned.
    if (this.options.full || segment.sizeBytes > seal.byteLength) return this.scanSegment(segment);
    await this.loadHints(segment, seal);
  }

  /** What the seal contradicts. Everything it covers was durable. */
  private async sealFault(segment: LogSegment, seal: Seal): Promise<Damage | undefined> {
    const { mark } = this;
    const { files, seals, full, turns } = this.options;
    if (mark?.segmentId === segment.segmentId && mark.offset > segment.sizeBytes)
      return 'ends-before-mark';
    if (seal.firstTxid !== 0 && seal.firstTxid <= this.lastTxid) return 'txid-not-increasing';
    const lowestId = this.segments[0]?.segmentId ?? FIRST_SEGMENT_ID;
    if (!followsPredecessor(seal, seals, lowestId)) return 'contradicts-seal';
    return sealContradiction(files, segment.sizeBytes, seal, full, turns);
  }

  private async loadHints({ segmentId, sizeBytes }: LogSegment, seal: Seal): Promise<void> {
    const { files, seals } = this.options;
    const { replay } = this;
    if (replay !== undefined && seal.hintCount > 0) {
      this.hintChunk ??= HintReader.chunkFor(this.options.seals);
      const chunk = this.hintChunk;
      await files.use(seals.pathOf(files.directory, seal), 'read', async (file) => {
        const reader = new HintReader(file, seal, chunk);
        let counted = reader.position;
        for (let run = reader.nextRun(); run !== undefined; run = reader.nextRun()) {
          const logEnd = this.scannedBytes + sizeBytes * reader.readPart;
          replay.hints(segmentId, run, logEnd);
          const workBytes = reader.position - counted;
          counted = reader.position;
          await this.afterWork(workBytes, logEnd);
        }
      });
    }
    const { mark } = this;
    if (seal.lastTxid !== 0) this.lastTxid = seal.lastTxid;
    if (mark?.segmentId === segmentId && mark.offset === sizeBytes)
      this.expectedTxid = mark.nextTxid;
    else if (mark !== undefined && mark.segmentId <= segmentId)
      this.expectedTxid = this.lastTxid + 1;
    this.recordCount += seal.recordCount;
    this.segmentsFromSeals++;
    this.scannedBytes += sizeBytes;
  }

  private async afterWork(workBytes: number, doneBytes: number): Promise<void> {
    if (!this.options.turns.isDue(workBytes)) return;
    callBack(this.options.onProgress, doneBytes, this.totalBytes);
    await this.options.turns.next();
  }

  /** Where the last valid seal proves the log to have been durable. */
  private sealedEnd(): { segmentId: number; offset: number } {
    const { last } = this.options.seals;
    if (last === undefined) return { segmentId: 0, offset: 0 };
    const { segmentId, byteLength } = last;
    const sizeBytes =
      this.segments.find((segment) => segment.segmentId === segmentId)?.sizeBytes ?? 0;
    // The name of the next segment is durable before a seal is written.
    return sizeBytes > byteLength
      ? { segmentId, offset: byteLength }
      : { segmentId: segmentId + 1, offset: 0 };
  }

  private async scanSegment({ segmentId, sizeBytes }: LogSegment): Promise<void> {
    const { files, probe, operation } = this.options;
    const startNs = probe?.event === undefined ? 0 : nowNs();
    await files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {
      const frame = new FrameCursor({
        file,
        probe,
        operation,
        site: 'scan',
        segmentId,
        endOffset: sizeBytes,
        chunk: this.chunk,
      });
      for (let from = 0, state: ScanState = 'turn'; state === 'turn'; from = frame.offset) {
        state = this.scanFrames(segmentId, frame);
        if (state !== 'turn' && state !== 'end') {
          await this.damaged(segmentId, frame, { file, sizeBytes }, state);
          break;
        }
        await this.afterWork(frame.offset - from, this.scannedBytes + frame.offset);
      }
      this.scannedBytes += sizeBytes;
      probe?.event?.({
        kind: 'segmentScanned',
        operation,
        segmentId,
        sizeBytes,
        startNs,
        durationNs: nowNs() - startNs,
      });
    });
  }

  /** Scans for one turn of the event loop, or to the end, or to what is wrong. */
  private scanFrames(segmentId: number, frame: FrameCursor): ScanState {
    const { mark } = this;
    const markOffset = mark?.segmentId === segmentId ? mark.offset : undefined;
    const turnEnd = frame.offset + this.options.turns.leftBytes;
    while (frame.offset < turnEnd) {
      const state = frame.next();
      if (mark !== undefined && frame.offset === markOffset) {
        if (this.lastTxid >= mark.nextTxid) return 'contradicts-mark';
        this.expectedTxid = mark.nextTxid;
      }
      if (state === 'damaged') return frame.fault;
      if (state === 'end') {
        return markOffset === undefined || frame.offset >= markOffset ? 'end' : 'ends-before-mark';
      }
      const misplaced = this.misplacement(frame, markOffset);
      if (misplaced !== undefined) return misplaced;
      this.lastTxid = frame.txid;
      if (this.expectedTxid !== undefined) this.expectedTxid = frame.txid + 1;
      this.recordCount++;
      this.replay?.frame(segmentId, frame, this.scannedBytes + frame.offset + frame.byteLength);
    }
    return 'turn';
  }

  /** What is wrong with a whole frame standing here, if anything. */
  private misplacement(frame: FrameCursor, markOffset: number | undefined): Damage | undefined {
    if (
      markOffset !== undefined &&
      frame.offset < markOffset &&
      frame.offset + frame.byteLength > markOffset
    ) {
      return 'contradicts-mark';
    }
    if (frame.txid <= this.lastTxid) return 'txid-not-increasing';
    if (this.expectedTxid === undefined || frame.txid === this.expectedTxid) return undefined;
    // No more records than that are ever unsynced: a crash leaves no wider gap, so a later opening
    // wrote this one, and the mark is of an earlier time.
    if (frame.txid >= this.expectedTxid + MAX_UNSYNCED_RECORDS) return 'contradicts-mark';
    // datawal goes on from the last record it sees, not from the txids that our mark has set aside.
    const continuesElsewhere = !this.witnessed && frame.txid === this.lastTxid + 1;
    return continuesElsewhere ? undefined : 'txid-not-next';
  }

  private async damaged(
    segmentId: number,
    frame: FrameCursor,
    segment: SegmentFile,
    fault: Damage,
  ): Promise<void> {
    const { turns } = this.options;
    const isTail = !NOT_A_TAIL.has(fault);
    const isUnfinished = isTail && (await isUnfinishedStart(segment, frame.offset, turns));
    const damage = isUnfinished ? 'unfinished-start' : fault;
    // Only some rows of the table ask what follows: those without a trusted mark, in the last
    // segment.
    const asks = isTail && !this.witnessed && this.placeOf(segmentId) === 'last';
    // No frame begins in zeros, of which there may be gigabytes that lie nowhere.
    const end = isUnfinished
      ? Math.min(frame.offset + HEADER_BYTES, segment.sizeBytes)
      : segment.sizeBytes;
    const laterFrames = asks ? await this.laterFrames(segment, frame, end) : 'none';
    this.endLog(segmentId, frame.offset, damage, laterFrames);
  }

  private async laterFrames(
    segment: SegmentFile,
    frame: FrameCursor,
    end: number,
  ): Promise<DamageEvidence['laterFrames']> {
    const { turns } = this.options;
    const claimEnd = Math.min(frame.offset + Math.max(frame.claimedBytes, 1), end);
    const after = await findFrame(segment, claimEnd, end, this.lastTxid, turns);
    if (after.found !== undefined) return 'after-claim';
    const inside = await findFrame(segment, frame.offset + 1, claimEnd, this.lastTxid, turns);
    // A search that gave up proves nothing either way.
    return inside.found !== undefined || after.exhausted || inside.exhausted
      ? 'inside-claim'
      : 'none';
  }

  private placeOf(segmentId: number, damage?: Damage): DamageEvidence['place'] {
    // A rotation waits until the name of the segment before it is durable: one that is missing
    // while there is another, be it empty, two places further was not lost in a crash. (Filling the
    // gap could take millions of files.)
    const lastId = this.segments.at(-1)?.segmentId ?? 0;
    if (damage === 'missing-segment' && lastId >= segmentId + 2) return 'two-behind';
    if (this.gapBehind(segmentId)) return 'two-behind';
    const behind = this.segments.filter(
      (segment) => segment.segmentId > segmentId && segment.sizeBytes > 0,
    );
    if (behind.length === 0) return 'last';
    return behind.some((segment) => segment.segmentId >= segmentId + 2) ? 'two-behind' : 'not-last';
  }

  /**
   * Are ids missing behind this one that no crash loses? An empty file of a high id is enough, and
   * costs nothing to make.
   */
  private gapBehind(segmentId: number): boolean {
    return this.segments.some(
      (segment, index) =>
        segment.segmentId > segmentId + 2 &&
        segment.segmentId - (this.segments[index - 1]?.segmentId ?? segmentId) > 2,
    );
  }

  private isDurable(segmentId: number, offset: number, damage: Damage): boolean {
    const { durable } = this;
    if (CONTRADICTIONS.has(damage)) return true;
    // The segment of the durable position was in a synced directory, even when it was still empty.
    if (damage === 'missing-segment') return segmentId <= durable.segmentId;
    return (
      segmentId < durable.segmentId || (segmentId === durable.segmentId && offset < durable.offset)
    );
  }

  /** Judges what ends the log here: throws, or lets the log end here. */
  private endLog(
    segmentId: number,
    offset: number,
    damage: Damage,
    laterFrames: DamageEvidence['laterFrames'],
  ): void {
    const { mode, acceptAmbiguousTail, files } = this.options;
    const { directory } = files;
    const { verdict, because } = judgeDamage({
      damage,
      position: this.isDurable(segmentId, offset, damage) ? 'durable' : 'not-durable',
      witnessed: this.witnessed,
      place: this.placeOf(segmentId, damage),
      laterFrames,
    });
    const accepted = verdict === 'torn' || (verdict === 'ambiguous' && acceptAmbiguousTail);
    if (!accepted || mode === 'strict') {
      throw refusal(accepted ? 'torn' : verdict, directory, segmentId, offset, damage, because);
    }
    this.end = { segmentId, offset, damage, because };
  }
}

/** Contradictions between the log and what says how it was when it was durable. */
const CONTRADICTIONS: ReadonlySet<Damage> = new Set<Damage>([
  'ends-before-mark',
  'contradicts-mark',
  'ends-before-seal',
  'contradicts-seal',
]);

function laterOf(
  a: { segmentId: number; offset: number },
  b: { segmentId: number; offset: number },
): { segmentId: number; offset: number } {
  return a.segmentId > b.segmentId || (a.segmentId === b.segmentId && a.offset >= b.offset) ? a : b;
}

/** Damage that is not about the bytes of the frame that stands there. */
const NOT_A_TAIL: ReadonlySet<Damage> = new Set<Damage>([
  'txid-not-increasing',
  'txid-not-next',
  'missing-segment',
  ...CONTRADICTIONS,
]);
