import { DescriptorPool, type OpenCheck, type PooledDescriptor } from './descriptor-pool.ts';
import { StoreError } from './errors.ts';
import { type FileSystem, readFully } from './file-system.ts';
import { crcHolds, headerFrameBytes, type RecordRef } from './frame.ts';
import { nowNs, type Probe, type ReadSite } from './probe.ts';
import { placeName } from './segment-name.ts';

/** Frames up to this size are read into a buffer that is used again for the next read. */
const READ_BUFFER_BYTES = 64 * 1024;

/** Reads single frames by reference. Every read is one pread of the whole frame and one check of its checksum. */
export class SegmentReader {
  private readonly fileSystem: FileSystem;
  private readonly pool: DescriptorPool;
  private readonly probe: Probe | undefined;
  private readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

  constructor(
    fileSystem: FileSystem,
    directory: string,
    poolCapacity: number,
    probe: Probe | undefined,
    checkOpened?: OpenCheck,
  ) {
    this.fileSystem = fileSystem;
    this.pool = new DescriptorPool(fileSystem, directory, poolCapacity, probe, checkOpened);
    this.probe = probe;
  }

  get openDescriptors(): number {
    return this.pool.openCount;
  }

  /**
   * The valid frame at `ref`, from index 0 of the buffer returned. That buffer is used again for the next
   * read (`isShared`) unless the frame is large: copy what must outlive it.
   */
  read(ref: RecordRef, site: ReadSite): Buffer {
    const target = ref.byteLength <= READ_BUFFER_BYTES ? this.buffer : Buffer.allocUnsafeSlow(ref.byteLength);
    const startNs = this.probe?.pread === undefined ? 0 : nowNs();
    const count = this.pread(ref, target);
    this.probe?.pread?.(site, ref.segmentId, ref.offset, count, startNs, nowNs() - startNs);
    this.validate(target, count, ref, site);
    return target;
  }

  /** The same off the event loop, into a buffer of its own. */
  async readAsync(ref: RecordRef, site: ReadSite): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(ref.byteLength);
    const startNs = this.probe?.pread === undefined ? 0 : nowNs();
    let done = 0;
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
      throw readError(error, ref);
    }
    this.probe?.pread?.(site, ref.segmentId, ref.offset, done, startNs, nowNs() - startNs);
    this.validate(target, done, ref, site);
    return target;
  }

  isShared(buffer: Buffer): boolean {
    return buffer === this.buffer;
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private pread(ref: RecordRef, target: Buffer): number {
    let entry: PooledDescriptor | undefined;
    try {
      entry = this.pool.acquire(ref.segmentId);
      return readFully(this.fileSystem, entry.descriptor, target, 0, ref.byteLength, ref.offset);
    } catch (error) {
      throw readError(error, ref);
    } finally {
      if (entry !== undefined) this.pool.release(entry);
    }
  }

  private validate(bytes: Buffer, count: number, ref: RecordRef, site: ReadSite): void {
    if (count < ref.byteLength) {
      throw this.report(frameMismatch(ref, `the segment ends after ${count} of ${ref.byteLength} bytes`));
    }
    const startNs = this.probe?.crcValidated === undefined ? 0 : nowNs();
    const ok = crcHolds(bytes, 0, ref.byteLength);
    this.probe?.crcValidated?.(site, ok, ref.byteLength, startNs, nowNs() - startNs);
    if (!ok) {
      throw this.report(
        new StoreError(
          'CRC_MISMATCH',
          `the checksum of the ${ref.byteLength} bytes at ${placeName(ref.segmentId, ref.offset)} does not hold; the bytes were not returned`,
          { segmentId: ref.segmentId, offset: ref.offset, reason: 'crc-mismatch' },
        ),
      );
    }
    if (headerFrameBytes(bytes, 0) !== ref.byteLength) {
      throw this.report(frameMismatch(ref, 'a frame of another length stands there'));
    }
  }

  private report(error: StoreError): StoreError {
    this.probe?.corrupted?.(error);
    return error;
  }
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
