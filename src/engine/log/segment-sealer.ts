import { FIRST_SEGMENT_ID } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { observed } from '../host/observation.ts';
import type { OpenFile } from '../host/open-file.ts';
import { inOwnContext } from '../host/own-context.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { Turns } from '../host/turns.ts';
import { SealBuilder } from '../seal/seal-builder.ts';
import {
  endsDigestOf,
  LONGEST_SEALED_BYTES,
  NO_IDENTITY,
  SEAL_HEADER_BYTES,
  SEAL_TEMPORARY_SUFFIX,
  type Seal,
  sealPath,
} from '../seal/seal-file.ts';
import type { SealSet } from '../seal/seal-set.ts';
import { damagedFrame, FrameCursor } from '../segment/frame-cursor.ts';
import type { LogSegment } from '../segment/segment-list.ts';

/**
 * So many bytes are read, checked and digested between two turns of the event loop: about a
 * millisecond of small records.
 */
const BYTES_PER_TURN = 128 * 1024;

/**
 * A close still seals so many bytes of segments that earlier openings left unsealed. More would
 * hold it up, and the next opening goes on.
 */
const UNSEALED_BYTES_AT_CLOSE = 128 * 1024 * 1024;

export interface SealerOptions {
  readonly files: StoreFiles;
  readonly storeId: Buffer;
  readonly latch: PoisonLatch;
  readonly probe: ProbeSet | undefined;
  /** The seals that were valid when the log was opened, and are still there. */
  readonly seals: SealSet;
  /** Outputs of merges that have lost their seals, by segment id, with their digests. */
  readonly merged?: ReadonlyMap<number, Buffer>;
  readonly lowestId: number;
}

/**
 * Writes the seal files of segments that are durable, lowest id first, one at a time and in small
 * slices between other work. Nothing depends on a seal: one that cannot be written is left out, and
 * the next opening reads its segment and tries again. The sealer reads the segment back from its
 * file, so that a seal never says what the file does not.
 */
export class SegmentSealer {
  private readonly options: SealerOptions;
  /** The seals that are on disk, by segment id. */
  private readonly seals = new Map<number, Seal>();
  /** Segments that an earlier opening left without a seal, ascending. They are sealed first. */
  private unsealed: LogSegment[];
  private queue: LogSegment[] = [];
  private running: Promise<void> | undefined;
  /** Called whenever a segment was sealed, or given up. */
  private waiters: (() => void)[] = [];
  /** Called with true when the next seal is written, with false when none will be any more. */
  private watchers: ((isWritten: boolean) => void)[] = [];
  private stopped = false;
  private readonly turns = new Turns(BYTES_PER_TURN);

  /** `sealed` are the sealed segments that an opening has found. */
  constructor(options: SealerOptions, sealed: readonly LogSegment[]) {
    this.options = options;
    for (const seal of options.seals) this.seals.set(seal.segmentId, seal);
    // A segment that a merge has absorbed needs no seal: that of the output covers its id.
    const covered = options.seals.covered(sealed.map(({ segmentId }) => segmentId));
    this.unsealed = sealed.filter(
      (segment) => this.sealOf(segment) === undefined && !covered.has(segment.segmentId),
    );
  }

  /** Segments that have no seal yet. */
  get pendingCount(): number {
    return this.unsealed.length + this.queue.length;
  }

  /**
   * The seal of a segment, when it covers all of it. One that another program has appended to has a
   * seal of what it was before, which does not count.
   */
  sealOf({ segmentId, sizeBytes }: LogSegment): Seal | undefined {
    const seal = this.seals.get(segmentId);
    return seal?.byteLength === sizeBytes ? seal : undefined;
  }

  /** A merge has put another segment in the place of all that this seal covers. */
  replace(seal: Seal): void {
    for (let id = seal.firstId; id < seal.segmentId; id++) this.seals.delete(id);
    this.seals.set(seal.segmentId, seal);
  }

  /**
   * Settles with true when the next seal file has been written, and with false when the log is
   * closed.
   */
  nextWritten(): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    return new Promise((resolve) => this.watchers.push(resolve));
  }

  start(): void {
    if (this.pendingCount > 0) this.running ??= inOwnContext(() => this.run());
  }

  /** The segment is durable, and so is the name of the next one. */
  add({ segmentId, sizeBytes }: LogSegment): void {
    this.queue.push({ segmentId, sizeBytes });
    this.start();
  }

  /**
   * Settles when no segment up to this id waits for its seal any more. `check` is called for each
   * that was sealed meanwhile, and throws where it is not to be waited for.
   */
  async written(throughId: number, check: () => void): Promise<void> {
    const isWaiting = ({ segmentId }: LogSegment) => segmentId <= throughId;
    while (
      this.running !== undefined &&
      (this.unsealed.some(isWaiting) || this.queue.some(isWaiting))
    ) {
      await new Promise<void>((resolve) => this.waiters.push(resolve));
      check();
    }
  }

  /**
   * Settles when every segment that this opening rotated away is sealed and no work is going on.
   * Of those that earlier openings left unsealed, the ones above `UNSEALED_BYTES_AT_CLOSE` stay.
   */
  async finish(): Promise<void> {
    let bytes = 0;
    this.unsealed = this.unsealed.filter(({ sizeBytes }) => {
      bytes += sizeBytes;
      return bytes <= UNSEALED_BYTES_AT_CLOSE;
    });
    await this.running;
  }

  /**
   * Settles when nothing is going on any more. What is not sealed now, a later opening will seal.
   */
  async stop(): Promise<void> {
    this.stopped = true;
    this.tellWatchers(false);
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      for (;;) {
        // Not on the time of whoever rotated.
        await this.turns.next();
        const segment = this.unsealed[0] ?? this.queue[0];
        if (segment === undefined || this.isEnded) return;
        await this.sealReported(segment);
        this.unsealed = this.unsealed.filter((other) => other !== segment);
        this.queue = this.queue.filter((other) => other !== segment);
        this.tellWaiters();
      }
    } finally {
      this.running = undefined;
      this.tellWaiters();
    }
  }

  private tellWaiters(): void {
    for (const tell of this.waiters.splice(0)) tell();
  }

  private tellWatchers(isWritten: boolean): void {
    for (const tell of this.watchers.splice(0)) tell(isWritten);
  }

  private get isEnded(): boolean {
    return this.stopped || this.options.latch.poisonedBy !== undefined;
  }

  private async sealReported(segment: LogSegment): Promise<void> {
    if (segment.sizeBytes > LONGEST_SEALED_BYTES) return;
    const { probe } = this.options;
    const { segmentId } = segment;
    const result = { segmentId, sealBytes: 0 };
    const work = async (operation: number) => {
      result.sealBytes = (await this.seal(segment, operation)) ?? 0;
    };
    const sealed = observed(probe, 'seal', result, work, (error) => {
      const what = `the seal of segment ${segmentId} was not written`;
      if (!(error instanceof StoreError))
        return new StoreError('IO_FAILED', what, { cause: error, segmentId });
      if (error.code === 'CRC_MISMATCH' || error.code === 'FRAME_MISMATCH')
        probe?.event?.({ kind: 'corrupted', error });
      return error;
    });
    // Nothing depends on it, and the probe was told.
    await sealed.catch(() => {});
  }

  /**
   * Returns the bytes of the seal, or undefined when it was given up because the log is being
   * closed.
   */
  private async seal(segment: LogSegment, operation: number): Promise<number | undefined> {
    const { files, latch } = this.options;
    const { fileSystem, directory } = files;
    const temporary = sealPath(directory, segment.segmentId, SEAL_TEMPORARY_SUFFIX);
    if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
    const source = files.open(segmentPath(directory, segment.segmentId), 'read');
    try {
      const target = files.open(temporary, 'create');
      let seal: Seal | undefined;
      try {
        seal = await this.write(segment, source, target, operation);
        if (seal !== undefined) await target.syncAsync();
      } catch (error) {
        seal = undefined;
        throw error;
      } finally {
        files.close(target);
        if (seal === undefined || this.isEnded) fileSystem.remove(temporary);
      }
      if (seal === undefined || this.isEnded) return undefined;
      fileSystem.rename(temporary, sealPath(directory, segment.segmentId));
      try {
        await fileSystem.directorySyncAsync(directory);
      } catch (error) {
        // The kernel tells of it once: a later sync of the directory, for a segment, could succeed
        // without having done it.
        throw latch.close('SYNC_FAILED', 'the sync of a seal file', error);
      }
      this.seals.set(segment.segmentId, seal);
      this.tellWatchers(true);
      return SEAL_HEADER_BYTES + seal.hintsBytes;
    } finally {
      files.close(source);
    }
  }

  private async write(
    { segmentId, sizeBytes }: LogSegment,
    source: OpenFile,
    target: OpenFile,
    operation: number,
  ): Promise<Seal | undefined> {
    const { storeId } = this.options;
    const builder = new SealBuilder(target, storeId, segmentId, sizeBytes);
    const frame = new FrameCursor({
      file: source,
      probe: this.options.probe,
      operation,
      site: 'seal',
      segmentId,
      endOffset: sizeBytes,
      chunk: Buffer.allocUnsafeSlow(Math.min(BYTES_PER_TURN, sizeBytes)),
    });
    for (let state = frame.next(), turnStart = 0; ; state = frame.next()) {
      if (state === 'damaged') throw damagedFrame(segmentId, frame);
      if (state === 'frame') {
        builder.add(frame, frame.offset);
        if (!this.turns.isDue(frame.byteLength)) continue;
      }
      const turnEnd = state === 'frame' ? frame.offset + frame.byteLength : sizeBytes;
      builder.digest(readRange(source, turnStart, turnEnd));
      if (state === 'end') break;
      turnStart = turnEnd;
      await this.turns.next();
      if (this.isEnded) return undefined;
    }
    // What a merge has written must never be taken for what was first sealed under the id.
    const identity =
      this.options.seals.identityBySuccessor(segmentId) ??
      (this.options.merged?.has(segmentId) ? NO_IDENTITY : undefined);
    const firstId = segmentId === this.options.lowestId ? FIRST_SEGMENT_ID : segmentId;
    return builder.finish({
      firstId,
      byteLength: sizeBytes,
      ...(identity === undefined ? {} : { identity }),
      predecessorIdentity: this.seals.get(firstId - 1)?.identity ?? NO_IDENTITY,
      endsDigest: endsDigestOf(source, sizeBytes),
    });
  }
}

function readRange(file: OpenFile, start: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - start);
  file.read(bytes, start);
  return bytes;
}
