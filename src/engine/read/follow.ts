import { setTimeout as delay } from 'node:timers/promises';
import { FIRST_SEGMENT_ID } from '../format/format.ts';
import { segmentIds, segmentName, segmentPath } from '../format/segment-name.ts';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { Observation } from '../host/observation.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import { StoreFiles } from '../host/store-files.ts';
import { Turns } from '../host/turns.ts';
import { TXID_JUMP } from '../recovery/log-opening.ts';
import { sealOfOpened } from '../seal/seal-check.ts';
import { isMerged, readSealHeader, type Seal } from '../seal/seal-file.ts';
import { damagedFrame, FrameCursor } from '../segment/frame-cursor.ts';
import { RecordCopier, type ScannedRecord } from '../segment/segment-records.ts';

export interface FollowOptions {
  /** The first txid wanted. Default: the one behind the reader's snapshot. */
  readonly fromTxid?: number;
  /** Ends the feed; the iteration throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** How often the log is looked at again once its end is reached, in milliseconds. Default 25. */
  readonly pollIntervalMs?: number;
}

export interface FollowSource {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  readonly checkOpen: () => void;
  /** Calls `end` when the reader is closed, unless what it returns was called before. */
  readonly onClose: (end: (reason: StoreError) => void) => () => void;
}

const POLL_INTERVAL_MS = 25;
const BYTES_PER_TURN = 256 * 1024;
/** How often the seal of a segment is looked for while a merge is being published. */
const SEAL_ATTEMPTS = 5;

/**
 * The records of a log from one txid on, in log order, and then those that are appended, for ever.
 * An async generator alone would queue `return` behind a `next` that waits for a record: here it
 * ends the wait first.
 */
export class Feed implements AsyncIterableIterator<ScannedRecord> {
  private readonly source: FollowSource;
  private readonly ending = new AbortController();
  private readonly records: AsyncGenerator<ScannedRecord, undefined>;

  constructor(source: FollowSource, fromTxid: number, options: FollowOptions) {
    this.source = source;
    this.records = follow(source, fromTxid, options, this.ending);
  }

  async next(): Promise<IteratorResult<ScannedRecord, undefined>> {
    const result = await this.records.next();
    // It may have been on its way when the reader was closed.
    if (result.done !== true) this.source.checkOpen();
    return result;
  }

  return(): Promise<IteratorResult<ScannedRecord, undefined>> {
    this.ending.abort(RETURNED);
    return this.records.return(undefined);
  }

  throw(error: unknown): Promise<IteratorResult<ScannedRecord, undefined>> {
    this.ending.abort(RETURNED);
    return this.records.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Why a feed ends that nobody wants any more. */
const RETURNED = Symbol('returned');

async function* follow(
  source: FollowSource,
  fromTxid: number,
  options: FollowOptions,
  ending: AbortController,
): AsyncGenerator<ScannedRecord, undefined> {
  const { probe } = source;
  const scan = new Observation(probe, 'scan', { records: 0 });
  const follower = new Follower(source, fromTxid, options, scan.operation, ending.signal);
  const { signal } = options;
  // Nobody may ever pull again: what is open is closed here, and not when the loop goes on.
  const end = (reason: unknown) => {
    ending.abort(reason);
    follower.close();
  };
  const onAbort = () => end(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  const forget = source.onClose(end);
  try {
    source.checkOpen();
    signal?.throwIfAborted();
    for (;;) {
      for await (const record of follower.recordsNow()) {
        scan.result.records++;
        yield record;
      }
      await follower.wait();
    }
  } catch (error) {
    if (error === RETURNED) return undefined;
    if (signal?.aborted && error === signal.reason) throw error;
    throw scan.failed(wrapSystemError(error, 'follow the log', source.directory));
  } finally {
    signal?.removeEventListener('abort', onAbort);
    forget();
    follower.close();
    scan.end();
  }
}

interface OpenSegment {
  readonly segmentId: number;
  readonly file: OpenFile;
  readonly seal: Seal | undefined;
  /** May a merge have left out records of its range? */
  readonly isMerged: boolean;
  /** May there have been records between the last that was seen, or skipped, and its first? */
  readonly followsGap: boolean;
  /** Up to where it was read. */
  offset: number;
  lastTxid: number;
  /** Damage at `offset` in a segment that may be growing, and how long that was when it was met. */
  damagedAtBytes: number | undefined;
}

/**
 * Walks from segment to segment with the present one open: a merge that replaces it, or empties it,
 * leaves what is open as it was. A segment is final once there is a next one; it is left behind
 * when it was read to its end after that.
 *
 * Txids also jump where nothing is gone: an opening that was not clean leaves out 2^20. That can
 * stand in any segment. Where a merge may have been at work, a jump and a hole look the same, and
 * both are called gone.
 */
class Follower {
  private readonly source: FollowSource;
  private readonly options: FollowOptions;
  private readonly operation: number;
  /** Aborted when nobody wants any more, with what is to be thrown. */
  private readonly ending: AbortSignal;
  private readonly chunk = Buffer.allocUnsafeSlow(BYTES_PER_TURN);
  private readonly copier = new RecordCopier();
  private readonly turns: Turns;
  private readonly files: StoreFiles;
  private nextTxid: number;
  private current: OpenSegment | undefined;

  constructor(
    source: FollowSource,
    fromTxid: number,
    options: FollowOptions,
    operation: number,
    ending: AbortSignal,
  ) {
    this.source = source;
    this.options = options;
    this.operation = operation;
    this.ending = ending;
    this.nextTxid = fromTxid;
    this.turns = new Turns(BYTES_PER_TURN, () => ending.throwIfAborted());
    this.files = new StoreFiles(source.fileSystem, source.directory);
  }

  /** What there is now. */
  async *recordsNow(): AsyncGenerator<ScannedRecord> {
    this.current ??= await this.openFirst();
    for (;;) {
      const { current } = this;
      if (current === undefined) return;
      // Looked at before the length: then the length is final.
      const wasReplaced = this.isReplaced(current);
      const next = this.idAfter(current.segmentId);
      yield* this.scan(current, next !== undefined);
      if (next === undefined) {
        // No merge touches the last segment. One that was the last a moment ago may have been
        // merged since.
        if (wasReplaced && this.idAfter(current.segmentId) === undefined)
          throw this.replaced(current);
        return;
      }
      this.checkEnd(current);
      // One that holds nothing says nothing of what was in front of it.
      const hasLeftGap = current.followsGap && current.offset === 0;
      const followsGap = this.isReplaced(current) || hasLeftGap;
      this.close();
      this.current = await this.openAfter(current.segmentId, next, followsGap);
    }
  }

  async wait(): Promise<void> {
    const { ending: signal } = this;
    const { pollIntervalMs = POLL_INTERVAL_MS } = this.options;
    await delay(pollIntervalMs, undefined, { signal }).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error;
    });
    this.source.checkOpen();
  }

  close(): void {
    if (this.current !== undefined) this.files.close(this.current.file);
    this.current = undefined;
  }

  private async *scan(current: OpenSegment, isFinal: boolean): AsyncGenerator<ScannedRecord> {
    // What was open is closed by now.
    this.ending.throwIfAborted();
    const { probe } = this.source;
    const { segmentId, file } = current;
    const { sizeBytes } = file.stat();
    if (sizeBytes < current.offset) throw this.cutBack(current, sizeBytes);
    const frame = new FrameCursor({
      file,
      probe,
      operation: this.operation,
      site: 'scan',
      segmentId,
      startOffset: current.offset,
      endOffset: sizeBytes,
      chunk: this.chunk,
    });
    for (;;) {
      this.ending.throwIfAborted();
      const state = this.nextFrame(frame, isFinal);
      if (state === 'end') return;
      if (state === 'damaged') {
        this.judgeDamage(current, frame, sizeBytes, isFinal);
        return;
      }
      const isWanted = this.take(current, frame);
      current.offset = frame.offset + frame.byteLength;
      current.damagedAtBytes = undefined;
      if (isWanted) yield this.copier.copy(segmentId, frame);
      if (this.turns.isDue(frame.byteLength)) await this.turns.next();
    }
  }

  /** A recovery may cut an unfinished end off at any moment. */
  private nextFrame(frame: FrameCursor, isFinal: boolean): 'frame' | 'damaged' | 'end' {
    try {
      return frame.next();
    } catch (error) {
      if (!isFinal && error instanceof StoreError && error.code === 'SNAPSHOT_GONE') return 'end';
      throw error;
    }
  }

  /**
   * What is not a frame at the end of the last segment is in flight, however long: its writer may
   * be slow, or dead. Once something was appended behind it, or the log went on elsewhere, it is
   * damage.
   */
  private judgeDamage(
    current: OpenSegment,
    frame: FrameCursor,
    sizeBytes: number,
    isFinal: boolean,
  ): void {
    const before = current.damagedAtBytes;
    if (!isFinal && frame.fault === 'truncated') return;
    const hasGrown = before !== undefined && sizeBytes > before;
    if (isFinal || hasGrown) throw damagedFrame(current.segmentId, frame);
    current.damagedAtBytes = before ?? sizeBytes;
  }

  /**
   * Is the record one of those that are wanted? Throws `SNAPSHOT_GONE` when one before it is not
   * there any more.
   */
  private take(current: OpenSegment, frame: FrameCursor): boolean {
    const { txid } = frame;
    if (txid <= current.lastTxid) {
      const { offset } = frame;
      const { segmentId } = current;
      const reason = 'txid-not-increasing';
      throw new StoreError('FRAME_MISMATCH', `${reason} at ${segmentName(segmentId)}:${offset}`, {
        segmentId,
        offset,
        reason,
      });
    }
    current.lastTxid = txid;
    if (txid < this.nextTxid) return false;
    if (txid > this.nextTxid && !this.mayJump(current, txid))
      throw this.gone(current.segmentId, txid - 1);
    this.nextTxid = txid + 1;
    return true;
  }

  private mayJump({ seal, isMerged, followsGap, offset }: OpenSegment, txid: number): boolean {
    if (isMerged || (followsGap && offset === 0)) return false;
    // Nothing was ever left out of what is as it was sealed. Of what is not sealed yet only
    // openings have the say.
    return seal !== undefined || txid - this.nextTxid >= TXID_JUMP - 1;
  }

  /** A merge may also have left out the last records of its range. */
  private checkEnd({ segmentId, seal, isMerged }: OpenSegment): void {
    if (seal !== undefined && isMerged && seal.lastTxid >= this.nextTxid)
      throw this.gone(segmentId, seal.lastTxid);
  }

  private gone(segmentId: number, lastTxid: number): StoreError {
    const firstTxid = this.nextTxid;
    return new StoreError(
      'SNAPSHOT_GONE',
      `txids ${firstTxid} to ${lastTxid} are gone: a merge has left out what was overwritten or deleted. Refresh the reader, take its pairs, and follow from there`,
      { path: this.source.directory, segmentId, firstTxid, lastTxid },
    );
  }

  /** Does the name of a segment lead to another file than the one that is open, or to none? */
  private isReplaced({ segmentId, file }: OpenSegment): boolean {
    this.ending.throwIfAborted();
    const { fileSystem, directory } = this.source;
    const held = file.stat();
    const named = fileSystem.stat(segmentPath(directory, segmentId));
    return named?.inode !== held.inode || named.device !== held.device;
  }

  private replaced({ segmentId }: OpenSegment): StoreError {
    const { nextTxid: firstTxid, source } = this;
    return new StoreError(
      'SNAPSHOT_GONE',
      `segment ${segmentId} of ${source.directory} is not the file any more that was followed: the store was replaced or removed, by a backup perhaps. Open a new reader, take its pairs, and follow from there`,
      { path: source.directory, segmentId, firstTxid },
    );
  }

  private cutBack({ segmentId, lastTxid }: OpenSegment, offset: number): StoreError {
    const message = `segment ${segmentId} is shorter than what was read from it: a recovery has cut it back`;
    return new StoreError('SNAPSHOT_GONE', message, { segmentId, offset, lastTxid });
  }

  /** The lowest id above one, or undefined when that is of the last segment. */
  private idAfter(segmentId: number): number | undefined {
    const { fileSystem, directory } = this.source;
    const exists = (id: number) => fileSystem.stat(segmentPath(directory, id)) !== undefined;
    if (exists(segmentId + 1)) return segmentId + 1;
    // Segments in front may be removed; then this one went first.
    if (exists(segmentId)) return undefined;
    return segmentIds(fileSystem.list(directory)).find((id) => id > segmentId);
  }

  /** The first segment that may hold the first txid wanted. */
  private async openFirst(): Promise<OpenSegment | undefined> {
    const { fileSystem, directory } = this.source;
    const ids = segmentIds(fileSystem.list(directory));
    const index = ids.findIndex((id) => {
      const seal = readSealHeader(fileSystem, directory, id);
      return seal === undefined || seal.lastTxid >= this.nextTxid;
    });
    const first = ids[index];
    if (first === undefined) {
      throw new StoreError('NOT_FOUND', `there is no store in ${directory}`, { path: directory });
    }
    // What was in front of the first that is left is gone.
    return this.openAt(first, index === 0 && first > FIRST_SEGMENT_ID);
  }

  /**
   * Where the file behind the name is another by now, a merge has replaced it, or somebody has put
   * back another state of the store. Only txids without a jump tell that nothing is between.
   */
  private openAfter(
    segmentId: number,
    next: number,
    followsGap: boolean,
  ): Promise<OpenSegment | undefined> {
    return this.openAt(next, next > segmentId + 1 || followsGap);
  }

  /** Opens a segment, or the next one that holds anything. */
  private async openAt(segmentId: number, followsGap: boolean): Promise<OpenSegment | undefined> {
    const { fileSystem, directory } = this.source;
    for (let attempt = 1; ; attempt++) {
      const file = this.files.openIfPresent(segmentPath(directory, segmentId));
      if (file === undefined) return this.skip(segmentId);
      let seal: Seal | 'unknown' | undefined;
      let isAbsorbed: boolean;
      try {
        const { sizeBytes } = file.stat();
        seal = sealOfOpened(fileSystem, directory, segmentId, file);
        // An absorbed segment has no seal, or still the one of what it held. With a seal of nothing
        // it was sealed empty, or is what a merge has left of its range, and the seal tells what
        // that was.
        isAbsorbed =
          sizeBytes === 0 && typeof seal !== 'object' && this.idAfter(segmentId) !== undefined;
      } catch (error) {
        this.files.close(file);
        throw error;
      }
      // Absorbed, or replaced by a merge that is at work: its seal is there soon.
      if (isAbsorbed || (seal === 'unknown' && attempt < SEAL_ATTEMPTS)) {
        this.files.close(file);
        if (isAbsorbed) return this.skip(segmentId);
        await this.wait();
        continue;
      }
      const known = seal === 'unknown' ? undefined : seal;
      return {
        segmentId,
        file,
        seal: known,
        isMerged: seal === 'unknown' || (known !== undefined && isMerged(known)),
        followsGap,
        offset: 0,
        lastTxid: 0,
        damagedAtBytes: undefined,
      };
    }
  }

  private async skip(segmentId: number): Promise<OpenSegment | undefined> {
    const next = this.idAfter(segmentId);
    return next === undefined ? undefined : this.openAt(next, true);
  }
}
