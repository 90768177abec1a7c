import { DescriptorPool, type OpenCheck } from './descriptor-pool.ts';
import { StoreError } from './errors.ts';
import { type FileSystem, readFully } from './file-system.ts';
import { crcHolds, headerFault, headerFrameBytes, type RecordRef } from './frame.ts';
import type { ReadSite } from './probe.ts';
import { type ProbeSet, partDuration, partStart } from './probe-set.ts';
import type { SegmentFiles } from './segment-files.ts';
import { placeName } from './segment-name.ts';

export interface PoolStats {
  readonly pooledDescriptors: number;
  readonly poolHits: number;
  readonly poolMisses: number;
  readonly poolEvictions: number;
}

/**
 * Short frames are read one behind the other into a slab, and values are handed out where they were read: a copy would
 * cost more than what a value that is kept holds of its neighbours. That is at most a slab, twice the pool of `Buffer`.
 */
const SLAB_BYTES = 16 * 1024;
const SHORT_FRAME_BYTES = SLAB_BYTES / 8;

/** Reads single frames by reference. Every read is one pread of the whole frame and one check of its checksum. */
export class SegmentReader {
  private readonly fileSystem: FileSystem;
  readonly files: SegmentFiles;
  private readonly pool: DescriptorPool;
  private readonly probe: ProbeSet | undefined;
  /** Where the frame of the last `read` begins in the buffer that it returned. */
  frameAt = 0;
  private slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  private slabUsed = 0;

  constructor(
    fileSystem: FileSystem,
    directory: string,
    files: SegmentFiles,
    poolCapacity: number,
    probe: ProbeSet | undefined,
    checkOpened?: OpenCheck,
  ) {
    this.fileSystem = fileSystem;
    this.files = files;
    this.pool = new DescriptorPool(fileSystem, directory, files, poolCapacity, checkOpened);
    this.probe = probe;
  }

  /** What the descriptor pool holds open, and did so far. */
  get poolStats(): PoolStats {
    const { openCount, hits, misses, evictions } = this.pool;
    return { pooledDescriptors: openCount, poolHits: hits, poolMisses: misses, poolEvictions: evictions };
  }

  /** The valid frame at `ref`, from index `frameAt` of the buffer returned; nothing is ever written there again. */
  read(ref: RecordRef, site: ReadSite, operation: number): Buffer {
    const { byteLength } = ref;
    const target = this.room(byteLength);
    const at = this.frameAt;
    const startNs = partStart(operation);
    let count = 0;
    let failure: StoreError | undefined;
    try {
      const entry = this.pool.acquire(ref.segmentId);
      try {
        count = readFully(this.fileSystem, entry.descriptor, target, at, byteLength, ref.offset);
      } finally {
        this.pool.release(entry);
      }
    } catch (error) {
      failure = readError(error, this.placeOf(ref));
    }
    this.finishRead(target, at, count, ref, site, operation, startNs, failure);
    return target;
  }

  /**
   * The valid frames at `refs`, which are all of one file and in ascending order, with one pread from the first to the
   * last. `visit` is given each with the place of its first byte; nothing is ever written there again.
   */
  readRun(
    refs: readonly RecordRef[],
    site: ReadSite,
    operation: number,
    visit: (ref: RecordRef, bytes: Buffer, at: number) => void,
  ): void {
    const [first, last] = [refs[0] as RecordRef, refs.at(-1) as RecordRef];
    const target = Buffer.allocUnsafeSlow(last.offset + last.byteLength - first.offset);
    const startNs = partStart(operation);
    let count = 0;
    let failure: StoreError | undefined;
    try {
      const entry = this.pool.acquire(first.segmentId);
      try {
        count = readFully(this.fileSystem, entry.descriptor, target, 0, target.length, first.offset);
      } finally {
        this.pool.release(entry);
      }
    } catch (error) {
      failure = readError(error, this.placeOf(first));
    }
    this.reportRead(first, count, site, operation, startNs, failure);
    if (failure !== undefined) throw failure;
    for (const ref of refs) {
      const at = ref.offset - first.offset;
      this.checkFrame(target, at, Math.max(0, Math.min(count - at, ref.byteLength)), ref, site, operation);
      visit(ref, target, at);
    }
  }

  /** As `read`, off the event loop and into a buffer of its own. */
  async readAsync(ref: RecordRef, site: ReadSite, operation: number): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(ref.byteLength);
    const startNs = partStart(operation);
    let done = 0;
    let failure: StoreError | undefined;
    try {
      const entry = this.pool.acquire(ref.segmentId);
      try {
        while (done < ref.byteLength) {
          const rest = ref.byteLength - done;
          const count = await this.fileSystem.readAsync(
            entry.descriptor,
            target,
            done,
            rest,
            ref.offset + done,
          );
          if (count === 0) break;
          done += count;
        }
      } finally {
        this.pool.release(entry);
      }
    } catch (error) {
      failure = readError(error, this.placeOf(ref));
    }
    this.finishRead(target, 0, done, ref, site, operation, startNs, failure);
    return target;
  }

  /** Holds a file open whose name is about to be taken by another; `unpin` lets it go. */
  pin(file: number): void {
    this.pool.pin(file);
  }

  unpin(file: number): Promise<void> {
    return this.pool.unpin(file);
  }

  /** Closes what was opened under the id of a segment that is another file by now. */
  drop(segmentId: number): void {
    this.pool.drop(segmentId);
  }

  /** The same place by the id of its segment, which is how it is called outside. */
  placeOf({ segmentId, offset, byteLength }: RecordRef): RecordRef {
    return { segmentId: this.files.segmentIdOf(segmentId), offset, byteLength };
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  /** A buffer with room for a frame at `frameAt`. */
  private room(byteLength: number): Buffer {
    if (byteLength > SHORT_FRAME_BYTES) {
      this.frameAt = 0;
      return Buffer.allocUnsafeSlow(byteLength);
    }
    if (this.slabUsed + byteLength > SLAB_BYTES) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.slabUsed = 0;
    }
    this.frameAt = this.slabUsed;
    this.slabUsed += byteLength;
    return this.slab;
  }

  /** Reports the pread, throws what it failed with, and checks what it brought. */
  private finishRead(
    bytes: Buffer,
    at: number,
    count: number,
    ref: RecordRef,
    site: ReadSite,
    operation: number,
    startNs: number,
    failure: StoreError | undefined,
  ): void {
    this.reportRead(ref, count, site, operation, startNs, failure);
    if (failure !== undefined) throw failure;
    this.checkFrame(bytes, at, count, ref, site, operation);
  }

  private reportRead(
    { segmentId, offset }: RecordRef,
    count: number,
    site: ReadSite,
    operation: number,
    startNs: number,
    failure: StoreError | undefined,
  ): void {
    this.probe?.read(
      operation,
      site,
      this.files.segmentIdOf(segmentId),
      offset,
      count,
      startNs,
      partDuration(operation, startNs),
      failure,
    );
  }

  /** Throws unless the frame at `ref`, of which `count` bytes were read to `at`, is whole and the one of that length. */
  private checkFrame(
    bytes: Buffer,
    at: number,
    count: number,
    ref: RecordRef,
    site: ReadSite,
    operation: number,
  ): void {
    const { probe } = this;
    if (count < ref.byteLength) {
      throw this.report(
        frameMismatch(this.placeOf(ref), `the segment ends after ${count} of ${ref.byteLength} bytes`),
      );
    }
    const crcStartNs = partStart(operation);
    const ok = crcHolds(bytes, at, ref.byteLength);
    probe?.crcValidated(operation, site, ok, ref.byteLength, crcStartNs, partDuration(operation, crcStartNs));
    if (!ok) throw this.report(crcMismatch(this.placeOf(ref)));
    const fault = headerFault(bytes, at);
    if (fault !== undefined) {
      throw this.report(frameMismatch(this.placeOf(ref), `no frame stands there: ${fault}`));
    }
    if (headerFrameBytes(bytes, at) !== ref.byteLength) {
      throw this.report(frameMismatch(this.placeOf(ref), 'a frame of another length stands there'));
    }
  }

  private report(error: StoreError): StoreError {
    this.probe?.corrupted?.(error);
    return error;
  }
}

function crcMismatch({ segmentId, offset, byteLength }: RecordRef): StoreError {
  const place = placeName(segmentId, offset);
  return new StoreError(
    'CRC_MISMATCH',
    `the checksum of the ${byteLength} bytes at ${place} does not hold; the bytes were not returned`,
    { segmentId, offset, reason: 'crc-mismatch' },
  );
}

/** A frame that is not the one that was asked for. */
export function frameMismatch(ref: RecordRef, what: string): StoreError {
  return new StoreError('FRAME_MISMATCH', `at ${placeName(ref.segmentId, ref.offset)}: ${what}`, {
    segmentId: ref.segmentId,
    offset: ref.offset,
    reason: what,
  });
}

function readError(error: unknown, ref: RecordRef): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(
    'READ_FAILED',
    `cannot read ${placeName(ref.segmentId, ref.offset)}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error, segmentId: ref.segmentId, offset: ref.offset },
  );
}
