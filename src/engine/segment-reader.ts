import { DescriptorPool, type OpenCheck } from './descriptor-pool.ts';
import { StoreError } from './errors.ts';
import { type FileSystem, readFully } from './file-system.ts';
import { crcHolds, headerFrameBytes, type RecordRef } from './frame.ts';
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

/** Frames up to this size are read into a buffer that is used again for the next read. */
const READ_BUFFER_BYTES = 64 * 1024;

/** Reads single frames by reference. Every read is one pread of the whole frame and one check of its checksum. */
export class SegmentReader {
  private readonly fileSystem: FileSystem;
  readonly files: SegmentFiles;
  private readonly pool: DescriptorPool;
  private readonly probe: ProbeSet | undefined;
  private readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

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

  /**
   * The valid frame at `ref`, from index 0 of the buffer returned. That buffer is used again for the next
   * read (`isShared`) unless the frame is large: copy what must outlive it.
   */
  read(ref: RecordRef, site: ReadSite, operation: number): Buffer {
    const target = ref.byteLength <= READ_BUFFER_BYTES ? this.buffer : Buffer.allocUnsafeSlow(ref.byteLength);
    const startNs = partStart(operation);
    let count = 0;
    let failure: StoreError | undefined;
    try {
      const entry = this.pool.acquire(ref.segmentId);
      try {
        count = readFully(this.fileSystem, entry.descriptor, target, 0, ref.byteLength, ref.offset);
      } finally {
        this.pool.release(entry);
      }
    } catch (error) {
      failure = readError(error, this.placeOf(ref));
    }
    this.finishRead(target, count, ref, site, operation, startNs, failure);
    return target;
  }

  /** The same off the event loop, into a buffer of its own. */
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
    this.finishRead(target, done, ref, site, operation, startNs, failure);
    return target;
  }

  /** Holds a file open whose name is about to be taken by another; `unpin` lets it go. */
  pin(file: number): void {
    this.pool.pin(file);
  }

  unpin(file: number): void {
    this.pool.unpin(file);
  }

  /** Closes what was opened under the id of a segment that is another file by now. */
  drop(segmentId: number): void {
    this.pool.drop(segmentId);
  }

  /** The same place by the id of its segment, which is how it is called outside. */
  placeOf({ segmentId, offset, byteLength }: RecordRef): RecordRef {
    return { segmentId: this.files.segmentIdOf(segmentId), offset, byteLength };
  }

  isShared(buffer: Buffer): boolean {
    return buffer === this.buffer;
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  /** Reports the pread, throws what it failed with, and checks what it brought. */
  private finishRead(
    bytes: Buffer,
    count: number,
    ref: RecordRef,
    site: ReadSite,
    operation: number,
    startNs: number,
    failure: StoreError | undefined,
  ): void {
    const { probe } = this;
    probe?.read?.(
      operation,
      site,
      this.files.segmentIdOf(ref.segmentId),
      ref.offset,
      count,
      startNs,
      partDuration(operation, startNs),
      failure,
    );
    if (failure !== undefined) throw failure;
    if (count < ref.byteLength) {
      throw this.report(
        frameMismatch(this.placeOf(ref), `the segment ends after ${count} of ${ref.byteLength} bytes`),
      );
    }
    const crcStartNs = partStart(operation);
    const ok = crcHolds(bytes, 0, ref.byteLength);
    probe?.crcValidated?.(
      operation,
      site,
      ok,
      ref.byteLength,
      crcStartNs,
      partDuration(operation, crcStartNs),
    );
    if (!ok) throw this.report(crcMismatch(this.placeOf(ref)));
    if (headerFrameBytes(bytes, 0) !== ref.byteLength) {
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
