import { setTimeout as delay } from 'node:timers/promises';
import { RecordType } from '../format/format.ts';
import { decodeFrame, type RecordRef } from '../format/frame.ts';
import { SHARDS } from '../format/key-hash.ts';
import { placeName, segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { type FileStat, readSmallRange } from '../host/file-system.ts';
import { observed, unlessAborted } from '../host/observation.ts';
import { checkFunction, checkNumber, checkOptions, checkSignal } from '../host/options.ts';
import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { OperationResults } from '../host/store-event.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { Keydir } from '../keydir/keydir.ts';
import { LivePlaces } from '../keydir/live-places.ts';
import { followsPredecessor } from '../seal/seal-check.ts';
import { MERGE_SUFFIX, type Seal, sealPath } from '../seal/seal-file.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { BYTES_PER_TURN, Pace, type VerifyOptions } from './verify-pace.ts';
import { DamageList, type VerifyFault, type VerifyReport } from './verify-report.ts';
import { type SegmentFault, SegmentVerification } from './verify-segment.ts';

/** What is to be verified: the writer's log or a reader's snapshot. */
export interface VerifySource {
  readonly files: StoreFiles;
  /** Seals of another store count for nothing. */
  readonly storeId: Buffer;
  readonly probe: ProbeSet | undefined;
  readonly keydir: Keydir;
  /** The segments as they are now, ascending. Those of a snapshot never change. */
  readonly segments: () => readonly LogSegment[];
  /** Throws when the file of a segment is not the one that is meant. */
  readonly checkOpened?: (segmentId: number, stat: FileStat | undefined) => void;
  /** Throws `STORE_CLOSED` after `close`. */
  readonly checkOpen: () => void;
  /** Aborted by `close`. */
  readonly closed: AbortSignal;
}

/** Segments whose live places are held at a time: about 20 MiB for so many bytes. */
const WINDOW_BYTES = 4 * 2 ** 30;

/**
 * How often a segment is looked at again when a merge may explain what is wrong with it, and after
 * how long.
 */
const ATTEMPTS = 5;
const RETRY_MS = 20;

/**
 * Reads the whole log up to its present end, and holds seals and keydir against it. Goes on behind
 * damage. Writing and merging go on meanwhile: what contradicts only because something is being
 * replaced is looked at again.
 */
export async function verify(
  source: VerifySource,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  checkOptions(options, 'verify', ['bytesPerSecond', 'onProgress', 'signal']);
  const { bytesPerSecond, onProgress, signal } = options;
  if (bytesPerSecond !== undefined)
    checkNumber('bytesPerSecond', bytesPerSecond, 1, Number.MAX_VALUE);
  checkFunction('onProgress', onProgress);
  checkSignal(signal);
  source.checkOpen();
  signal?.throwIfAborted();
  const segments = source.segments();
  const totalBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const pace = new Pace(options, totalBytes, source.checkOpen, source.closed);
  const result: OperationResults['verify'] = {
    outcome: 'failed',
    records: 0,
    scannedBytes: 0,
    damagedRanges: 0,
  };
  const work = async (operation: number) => {
    const startNs = nowNs();
    const verification = new Verification(source, pace, operation);
    try {
      const report = await verification.run(segments);
      result.outcome = report.damageCount === 0 ? 'ok' : 'damaged';
      return { ...report, durationNs: nowNs() - startNs };
    } finally {
      result.records = verification.records;
      result.scannedBytes = pace.scannedBytes;
      result.damagedRanges = verification.damages.count;
    }
  };
  const toFailure = unlessAborted(options.signal, 'verify', source.files.directory);
  return observed(source.probe, 'verify', result, work, toFailure);
}

class Verification {
  records = 0;
  readonly damages = new DamageList();
  private readonly source: VerifySource;
  private readonly pace: Pace;
  private readonly operation: number;
  private readonly chunk = Buffer.allocUnsafeSlow(BYTES_PER_TURN);
  private readonly seals = new Map<number, Seal>();
  /** Highest txid of each segment, for what must lie above it. */
  private readonly lastTxids = new Map<number, number>();
  /** Keys that the keydir does not know, with Puts whose Deletes must follow. */
  private readonly missing = new Keydir();
  /** Live places at which no Put of the key was met, by segment. */
  private readonly unmet = new Map<number, LivePlaces>();
  private lowestId = 0;
  /** Looking for Deletes behind the end that was verified: nothing there is verified itself. */
  private isBehindEnd = false;

  constructor(source: VerifySource, pace: Pace, operation: number) {
    this.source = source;
    this.pace = pace;
    this.operation = operation;
  }

  async run(segments: readonly LogSegment[]): Promise<Omit<VerifyReport, 'durationNs'>> {
    this.lowestId = segments[0]?.segmentId ?? 0;
    for (const window of windowsOf(segments)) {
      const places = await LivePlaces.of(this.source.keydir, window);
      for (const segment of window) await this.verifySegment(segment, places);
    }
    await this.findDeletes(segments.at(-1));
    await this.walkKeydir();
    this.reportMissing();
    return {
      segments: segments.length,
      records: this.records,
      scannedBytes: this.pace.scannedBytes,
      seals: this.seals.size,
      damages: this.damages.inLogOrder(),
      damageCount: this.damages.count,
    };
  }

  private async verifySegment(segment: LogSegment, windowPlaces: LivePlaces): Promise<void> {
    let places = windowPlaces;
    for (let attempt = 1; ; attempt++) {
      const before = this.stamp(segment.segmentId);
      const sizeBytes = this.sizeNow(segment);
      // A merge has taken what was here, and its seal may not be gone yet.
      if (sizeBytes === 0) return;
      const verification = await this.scan({ ...segment, sizeBytes }, places);
      const faults = [...verification.faults, ...this.chainFaults(segment.segmentId, verification)];
      const isReplaced = this.stamp(segment.segmentId) !== before || this.isMerging();
      if (faults.length > 0 && isReplaced && attempt < ATTEMPTS) {
        await delay(RETRY_MS * attempt);
        places = await LivePlaces.of(this.source.keydir, [segment]);
        continue;
      }
      if (places.hasLeft(segment.segmentId)) this.unmet.set(segment.segmentId, places);
      this.accept(segment.segmentId, verification, faults);
      return;
    }
  }

  private async scan(segment: LogSegment, places: LivePlaces): Promise<SegmentVerification> {
    const { files, probe, checkOpened } = this.source;
    const { segmentId } = segment;
    const verification = new SegmentVerification(
      {
        files,
        storeId: this.source.storeId,
        probe,
        operation: this.operation,
        pace: this.pace,
        checkOpened: checkOpened ?? (() => {}),
        checkRecord: (frame) => this.checkRecord(segmentId, frame, places),
      },
      segment,
      this.chunk,
    );
    await verification.run();
    return verification;
  }

  private accept(
    segmentId: number,
    { records, seal, lastTxid }: SegmentVerification,
    faults: readonly SegmentFault[],
  ): void {
    this.records += records;
    this.lastTxids.set(segmentId, Math.max(lastTxid, seal?.lastTxid ?? 0));
    if (seal !== undefined) this.seals.set(segmentId, seal);
    for (const { offset, byteLength, what, liveKey } of faults) {
      this.damage(segmentId, offset, byteLength, what, liveKey);
    }
  }

  /** Is a segment where it belongs, behind the ones before it? */
  private chainFaults(
    segmentId: number,
    { seal, firstTxid, sizeBytes }: SegmentVerification,
  ): SegmentFault[] {
    const faults: SegmentFault[] = [];
    const fault = (what: VerifyFault) => faults.push({ offset: 0, byteLength: sizeBytes, what });
    const seals = { of: (id: number) => this.seals.get(id) };
    if (seal !== undefined && !followsPredecessor(seal, seals, this.lowestId))
      fault('contradicts-seal');
    // What a merge has taken from lower ids may still stand there until they are emptied.
    const firstId = seal?.firstId ?? segmentId;
    let before = 0;
    for (const [id, lastTxid] of this.lastTxids)
      if (id < firstId) before = Math.max(before, lastTxid);
    if (firstTxid !== 0 && firstTxid <= before) fault('txid-not-increasing');
    return faults;
  }

  private checkRecord(
    segmentId: number,
    frame: FrameCursor,
    places: LivePlaces,
  ): SegmentFault | undefined {
    const { type, offset, byteLength, keyAt, bytes } = frame;
    if (type === RecordType.Raw) return undefined;
    const keyEnd = keyAt + frame.keyLength;
    const { keydir } = this.source;
    const live = keydir.locateIn(bytes, keyAt, keyEnd);
    if (type === RecordType.Delete && this.missing.size > 0)
      this.missing.delete(bytes.subarray(keyAt, keyEnd), { segmentId, offset, byteLength });
    if (live === undefined) {
      if (type === RecordType.Put && !this.isBehindEnd)
        this.missing.set(bytes.subarray(keyAt, keyEnd), { segmentId, offset, byteLength });
      return undefined;
    }
    const liveId = keydir.files.segmentIdOf(live.file);
    if (liveId > segmentId || (liveId === segmentId && live.offset > offset)) return undefined;
    const isThis = liveId === segmentId && live.offset === offset && live.byteLength === byteLength;
    if (isThis && type === RecordType.Put) {
      places.take(segmentId, offset);
      return undefined;
    }
    const liveKey = Buffer.from(bytes.subarray(keyAt, keyEnd));
    return { offset, byteLength, what: isThis ? 'keydir-dangling' : 'keydir-stale', liveKey };
  }

  /** A key that was deleted while this ran has its Delete behind the end that was verified. */
  private async findDeletes(last: LogSegment | undefined): Promise<void> {
    if (this.missing.size === 0 || last === undefined) return;
    this.isBehindEnd = true;
    const none = await LivePlaces.of(this.source.keydir, []);
    for (const segment of this.source.segments()) {
      const { segmentId, sizeBytes } = segment;
      if (
        segmentId < last.segmentId ||
        (segmentId === last.segmentId && sizeBytes === last.sizeBytes)
      )
        continue;
      await this.scan(segment, none);
    }
  }

  /**
   * Finds the live keys in damaged ranges, and those whose places were not met as their records.
   */
  private async walkKeydir(): Promise<void> {
    if (this.damages.count === 0 && this.unmet.size === 0) return;
    const { keydir } = this.source;
    for (let shard = 0; shard < SHARDS; shard++) {
      keydir.visitShard(shard, (frame, bytes, start, end) => {
        const ref = keydir.files.refOf(frame);
        const { segmentId, offset, byteLength } = ref;
        const key = () => Buffer.from(bytes.subarray(start, end));
        const holds = () => this.holds(ref, bytes.subarray(start, end));
        if (this.damages.hit(segmentId, offset, key, holds)) return;
        if (this.unmet.get(segmentId)?.take(segmentId, offset) !== true || holds()) return;
        this.damage(segmentId, offset, byteLength, 'keydir-dangling', key());
      });
      await this.pace.turn(0);
    }
  }

  /** Does a Put of the key stand there now? A merge may have moved it since. */
  private holds({ segmentId, offset, byteLength }: RecordRef, key: Uint8Array): boolean {
    const { fileSystem, directory } = this.source.files;
    let bytes: Buffer;
    try {
      bytes = readSmallRange(fileSystem, segmentPath(directory, segmentId), offset, byteLength);
    } catch {
      // What cannot be read is in the report already.
      return false;
    }
    const decoded = decodeFrame(bytes);
    return (
      decoded.ok &&
      decoded.byteLength === byteLength &&
      decoded.record.type === RecordType.Put &&
      Buffer.compare(decoded.record.key, key) === 0
    );
  }

  private reportMissing(): void {
    const { keydir } = this.source;
    for (const key of [...this.missing.keys()]) {
      const frame = this.missing.locate(key);
      if (frame === undefined || keydir.has(key)) continue;
      const { segmentId, offset, byteLength } = this.missing.files.refOf(frame);
      // A Delete may have lain in a damaged range behind it.
      if (this.damages.reachBeyond(segmentId, offset)) continue;
      this.damage(segmentId, offset, byteLength, 'keydir-missing', key);
    }
  }

  private damage(
    segmentId: number,
    offset: number,
    byteLength: number,
    what: VerifyFault,
    liveKey: Uint8Array | undefined,
  ): void {
    this.damages.add(segmentId, offset, byteLength, what, liveKey);
    const code = what === 'crc-mismatch' ? 'CRC_MISMATCH' : 'FRAME_MISMATCH';
    const message = `${what} at ${placeName(segmentId, offset)}, found by a scrub`;
    const error = new StoreError(code, message, { segmentId, offset, reason: what });
    this.source.probe?.event?.({ kind: 'corrupted', error });
  }

  /** What says that the segment or its seal was replaced. */
  private stamp(segmentId: number): string {
    const { fileSystem, directory } = this.source.files;
    return [segmentPath(directory, segmentId), sealPath(directory, segmentId)]
      .map((path) => fileSystem.stat(path)?.inode)
      .join();
  }

  private isMerging(): boolean {
    const { fileSystem, directory } = this.source.files;
    return fileSystem.list(directory).some((name) => name.endsWith(MERGE_SUFFIX));
  }

  /** A merge may have emptied it; the active one is not read beyond where it ended at first. */
  private sizeNow({ segmentId, sizeBytes }: LogSegment): number {
    const now = this.source.segments().find((segment) => segment.segmentId === segmentId);
    return Math.min(now?.sizeBytes ?? sizeBytes, sizeBytes);
  }
}

function windowsOf(segments: readonly LogSegment[]): LogSegment[][] {
  const windows: LogSegment[][] = [];
  let windowBytes = Number.POSITIVE_INFINITY;
  for (const segment of segments) {
    windowBytes += segment.sizeBytes;
    if (windowBytes > WINDOW_BYTES) {
      windows.push([]);
      windowBytes = segment.sizeBytes;
    }
    windows.at(-1)?.push(segment);
  }
  return windows;
}
