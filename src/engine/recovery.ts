import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DurableMark } from './durable-mark.ts';
import { StoreError } from './errors.ts';
import { closeQuietly, type FileSystem } from './file-system.ts';
import { MAX_SEGMENT_FILE_BYTES } from './format.ts';
import { nowNs } from './probe.ts';
import type { ProbeSet } from './probe-set.ts';
import type { Discarded } from './recovery-report.ts';
import { type Damage, type DamageEvidence, judgeDamage, type Verdict } from './recovery-verdict.ts';
import { placeName, segmentIds, segmentPath } from './segment-name.ts';
import { SCAN_CHUNK_BYTES, SegmentScanner, scanChunk } from './segment-scanner.ts';
import { findFrame, isUnfinishedStart, type SegmentFile } from './tail-evidence.ts';

/**
 * Finds the longest valid prefix of a log and judges what ends it. Changes nothing on disk: what a writer
 * does about a torn tail is in repair.ts, and a reader does nothing at all.
 */

/** `prefix` keeps what precedes a torn tail; `strict` refuses to open on one. Corruption is always refused. */
export type RecoveryMode = 'prefix' | 'strict';

export interface LogSegment {
  readonly segmentId: number;
  /** Bytes kept, which is all of the file unless something was discarded. */
  readonly sizeBytes: number;
}

export interface LogScan {
  /** Ascending, empty ones included. */
  readonly segments: readonly LogSegment[];
  readonly recordCount: number;
  /** 0 when there is no record. */
  readonly lastTxid: number;
  /** In log order; the first is the damaged one, the others lie behind it. */
  readonly discarded: readonly Discarded[];
  /** Ids that should be there and are not; only ever behind the damage. */
  readonly missingIds: readonly number[];
}

export interface ScanLogOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** As `listSegments` gave them; a reader scans no further than it had listed. */
  readonly segments: readonly LogSegment[];
  readonly mark: DurableMark | undefined;
  /** Does `.lock` carry the mark's nonce? */
  readonly witnessed: boolean;
  readonly mode: RecoveryMode;
  readonly acceptAmbiguousTail: boolean;
  readonly probe: ProbeSet | undefined;
  /** The opening on whose behalf this scans. */
  readonly operation: number;
  /** Called for every kept record, in log order. The cursor is only valid during the call. */
  readonly visit: (segmentId: number, frame: SegmentScanner) => void;
  /** Called every few megabytes. */
  readonly onProgress?: ((scannedBytes: number, totalBytes: number) => void) | undefined;
}

/** A writer never has more records than these unsynced, so that txids can be set aside for all of them. */
export const MAX_UNSYNCED_RECORDS = 2 ** 19;

/** How much is scanned between two turns of the event loop. */
const BYTES_A_TURN = 8 * SCAN_CHUNK_BYTES;

/** The segments of a directory, ascending. What only has the name of a segment (a directory, say) is not one. */
export function listSegments(fileSystem: FileSystem, directory: string): LogSegment[] {
  const segments: LogSegment[] = [];
  for (const segmentId of segmentIds(fileSystem.list(directory))) {
    const stat = fileSystem.stat(segmentPath(directory, segmentId));
    if (stat?.kind !== 'file') continue;
    if (stat.sizeBytes > MAX_SEGMENT_FILE_BYTES) {
      throw new StoreError(
        'LOG_FULL',
        `segment ${segmentId} is longer than the ${MAX_SEGMENT_FILE_BYTES} bytes addressed`,
        {
          path: directory,
          segmentId,
        },
      );
    }
    segments.push({ segmentId, sizeBytes: stat.sizeBytes });
  }
  return segments;
}

/** Scans all segments, or throws `STORE_CORRUPT`, `AMBIGUOUS_TAIL` or (in strict mode) `TORN_TAIL`. */
export async function scanLog(options: ScanLogOptions): Promise<LogScan> {
  const scanner = new LogScanner(options);
  await scanner.run();
  return scanner.result();
}

class LogScanner {
  private readonly options: ScanLogOptions;
  private readonly mark: DurableMark | undefined;
  private readonly witnessed: boolean;
  private readonly segments: readonly LogSegment[];
  private readonly totalBytes: number;
  private readonly chunk: Buffer;
  private scannedBytes = 0;
  private recordCount = 0;
  private lastTxid = 0;
  /** The txid that the next record must have, once the mark has been passed. */
  private expectedTxid: number | undefined;
  /** Where the valid log ends, when it ends before the last segment does. */
  private end: { segmentId: number; offset: number; damage: Damage; because: string } | undefined;

  constructor(options: ScanLogOptions) {
    this.options = options;
    this.mark = options.mark;
    this.witnessed = options.witnessed && options.mark !== undefined;
    this.segments = options.segments;
    this.totalBytes = this.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.chunk = scanChunk(this.segments);
  }

  result(): LogScan {
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
      lastTxid: this.lastTxid,
      discarded,
      missingIds,
    };
  }

  async run(): Promise<void> {
    const { mark, segments } = this;
    let expectedId = segments[0]?.segmentId ?? 1;
    // Empty segments in front are removed only after the mark has moved past them.
    if (mark !== undefined && mark.segmentId < expectedId) expectedId = mark.segmentId;
    for (const segment of segments) {
      if (segment.segmentId !== expectedId) return this.endLog(expectedId, 0, 'missing-segment', 'none');
      await this.scanSegment(segment);
      if (this.end !== undefined) return;
      expectedId++;
    }
    if (mark !== undefined && mark.segmentId >= expectedId) {
      this.endLog(mark.segmentId, 0, 'ends-before-mark', 'none');
    }
  }

  private async scanSegment({ segmentId, sizeBytes }: LogSegment): Promise<void> {
    const { fileSystem, directory, probe, operation, onProgress } = this.options;
    const startNs = probe?.segmentScanned === undefined ? 0 : nowNs();
    const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
    try {
      const file: SegmentFile = { fileSystem, descriptor, sizeBytes };
      const frame = new SegmentScanner({
        fileSystem,
        probe,
        operation,
        site: 'scan',
        descriptor,
        segmentId,
        endOffset: sizeBytes,
        chunk: this.chunk,
      });
      while (this.scanFrames(segmentId, frame, file)) {
        onProgress?.(this.scannedBytes + frame.offset, this.totalBytes);
        await nextTurn();
      }
      this.scannedBytes += sizeBytes;
      probe?.segmentScanned?.(operation, segmentId, sizeBytes, startNs, nowNs() - startNs);
    } finally {
      closeQuietly(fileSystem, descriptor);
    }
  }

  /** Scans for one turn of the event loop; false when the segment or the valid log has ended. */
  private scanFrames(segmentId: number, frame: SegmentScanner, file: SegmentFile): boolean {
    const { mark } = this;
    const markOffset = mark?.segmentId === segmentId ? mark.offset : undefined;
    const turnEnd = frame.offset + BYTES_A_TURN;
    while (frame.offset < turnEnd) {
      const state = frame.next();
      if (mark !== undefined && frame.offset === markOffset) {
        if (this.lastTxid >= mark.nextTxid) return this.damaged(segmentId, frame, file, 'contradicts-mark');
        this.expectedTxid = mark.nextTxid;
      }
      if (state === 'damaged') return this.damaged(segmentId, frame, file, frame.fault);
      if (state === 'end') {
        if (markOffset === undefined || frame.offset >= markOffset) return false;
        return this.damaged(segmentId, frame, file, 'ends-before-mark');
      }
      const misplaced = this.misplacement(frame, markOffset);
      if (misplaced !== undefined) return this.damaged(segmentId, frame, file, misplaced);
      this.lastTxid = frame.txid;
      if (this.expectedTxid !== undefined) this.expectedTxid = frame.txid + 1;
      this.recordCount++;
      this.options.visit(segmentId, frame);
    }
    return true;
  }

  /** What is wrong with a whole frame standing here, if anything. */
  private misplacement(frame: SegmentScanner, markOffset: number | undefined): Damage | undefined {
    if (
      markOffset !== undefined &&
      frame.offset < markOffset &&
      frame.offset + frame.byteLength > markOffset
    ) {
      return 'contradicts-mark';
    }
    if (frame.txid <= this.lastTxid) return 'txid-not-increasing';
    if (this.expectedTxid === undefined || frame.txid === this.expectedTxid) return undefined;
    // No more records than that are ever unsynced: a crash leaves no wider gap, so a later opening wrote this one, and the
    // mark is of an earlier time.
    if (frame.txid >= this.expectedTxid + MAX_UNSYNCED_RECORDS) return 'contradicts-mark';
    // datawal goes on from the last record it sees, not from the txids that our mark has set aside.
    const continuesElsewhere = !this.witnessed && frame.txid === this.lastTxid + 1;
    return continuesElsewhere ? undefined : 'txid-not-next';
  }

  private damaged(segmentId: number, frame: SegmentScanner, file: SegmentFile, fault: Damage): false {
    const isTail = !NOT_A_TAIL.has(fault);
    const damage = isTail && isUnfinishedStart(file, frame.offset) ? 'unfinished-start' : fault;
    // Only some rows of the table ask what follows: those without a trusted mark, in the last segment.
    const asks = isTail && !this.witnessed && this.placeOf(segmentId) === 'last';
    this.endLog(segmentId, frame.offset, damage, asks ? this.laterFrames(file, frame) : 'none');
    return false;
  }

  private laterFrames(file: SegmentFile, frame: SegmentScanner): DamageEvidence['laterFrames'] {
    const claimEnd = Math.min(frame.offset + Math.max(frame.claimedBytes, 1), file.sizeBytes);
    const after = findFrame(file, claimEnd, file.sizeBytes, this.lastTxid);
    if (after.found !== undefined) return 'after-claim';
    const inside = findFrame(file, frame.offset + 1, claimEnd, this.lastTxid);
    // A search that gave up proves nothing either way.
    return inside.found !== undefined || after.exhausted || inside.exhausted ? 'inside-claim' : 'none';
  }

  private placeOf(segmentId: number, damage?: Damage): DamageEvidence['place'] {
    // A rotation waits until the name of the segment before it is durable: one that is missing while there is another,
    // be it empty, two places further was not lost in a crash. (Filling the gap could take millions of files.)
    const lastId = this.segments.at(-1)?.segmentId ?? 0;
    if (damage === 'missing-segment' && lastId >= segmentId + 2) return 'two-behind';
    const behind = this.segments.filter((segment) => segment.segmentId > segmentId && segment.sizeBytes > 0);
    if (behind.length === 0) return 'last';
    return behind.some((segment) => segment.segmentId >= segmentId + 2) ? 'two-behind' : 'not-last';
  }

  private isBeforeMark(segmentId: number, offset: number, damage: Damage): boolean {
    const { mark } = this;
    if (mark === undefined) return false;
    if (damage === 'ends-before-mark' || damage === 'contradicts-mark') return true;
    // The mark's own segment was in a synced directory, even when it was still empty.
    if (damage === 'missing-segment') return segmentId <= mark.segmentId;
    return segmentId < mark.segmentId || (segmentId === mark.segmentId && offset < mark.offset);
  }

  /** Judges what ends the log here: throws, or lets the log end here. */
  private endLog(
    segmentId: number,
    offset: number,
    damage: Damage,
    laterFrames: DamageEvidence['laterFrames'],
  ): void {
    const { mode, acceptAmbiguousTail, directory } = this.options;
    const { verdict, because } = judgeDamage({
      damage,
      position: this.isBeforeMark(segmentId, offset, damage) ? 'before-mark' : 'at-or-after-mark',
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

/** Damage that is not about the bytes of the frame that stands there. */
const NOT_A_TAIL: ReadonlySet<Damage> = new Set<Damage>([
  'txid-not-increasing',
  'txid-not-next',
  'missing-segment',
  'ends-before-mark',
  'contradicts-mark',
]);

function refusal(
  verdict: Verdict,
  directory: string,
  segmentId: number,
  offset: number,
  damage: Damage,
  because: string,
): StoreError {
  const place = placeName(segmentId, offset);
  const details = { path: directory, segmentId, offset, reason: damage };
  const found = `${damage} at ${place} in ${directory} (${because})`;
  const inspect = `Look at it with: npx tidemark hexdump ${directory} ${place}`;
  switch (verdict) {
    case 'corrupt':
      return new StoreError(
        'STORE_CORRUPT',
        `${found}. Nothing was changed. ${inspect}. To rescue every valid record into a new directory: npx tidemark salvage ${directory} NEW_DIRECTORY`,
        details,
      );
    case 'ambiguous':
      return new StoreError(
        'AMBIGUOUS_TAIL',
        `${found}. Nothing was changed. ${inspect}. If it is a torn value, open with { acceptAmbiguousTail: true }; the bytes are kept in quarantine/`,
        details,
      );
    case 'torn':
      return new StoreError(
        'TORN_TAIL',
        `${found}, and recovery is 'strict'. Nothing was changed. ${inspect}. Open with { recovery: 'prefix' } to keep what precedes it`,
        details,
      );
  }
}
