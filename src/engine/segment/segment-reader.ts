import { copyOf } from '../format/bytes.ts';
import { CRC_BYTES, HEADER_BYTES, RecordType } from '../format/format.ts';
import {
  crcHolds,
  headerFault,
  headerKeyLength,
  headerType,
  isFrameOf,
  type LogRecord,
  type RecordRef,
  recordIn,
  viewOf,
} from '../format/frame.ts';
import { placeName } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { type FileSystem, readFully } from '../host/file-system.ts';
import { withoutGuard } from '../host/guarded-file-system.ts';
import { CAN_SHARE_BUFFERS, sharedBuffer } from '../host/handed-out.ts';
import type { ReadSite } from '../host/probe.ts';
import { type ProbeSet, partDuration, partStart } from '../host/probe-set.ts';
import { DescriptorPool, type OpenCheck } from './descriptor-pool.ts';
import type { FrameRef, SegmentFiles } from './segment-files.ts';

export interface PoolStats {
  readonly pooledDescriptors: number;
  readonly poolHits: number;
  readonly poolMisses: number;
  readonly poolEvictions: number;
}

/**
 * Short frames are read one behind the other into a slab, and values are handed out where they were
 * read: a copy would cost more than what a value that is kept holds of its neighbours. That is at
 * most a slab, twice the pool of `Buffer`.
 */
const SLAB_BYTES = 16 * 1024;
/** 0 where values must not share a buffer: then every frame is a long one. */
const SHORT_FRAME_BYTES = CAN_SHARE_BUFFERS ? SLAB_BYTES / 8 : 0;

/**
 * Reads single frames by reference. Every read is one pread of the whole frame and one check of its
 * checksum.
 */
export class SegmentReader {
  private readonly fileSystem: FileSystem;
  readonly files: SegmentFiles;
  private readonly pool: DescriptorPool;
  private readonly probe: ProbeSet | undefined;
  /** Where the frame of the last `read` begins in the buffer that it returned. */
  frameAt = 0;
  private frameView: DataView;
  private slab = sharedBuffer(SLAB_BYTES);
  private slabView = viewOf(this.slab);
  private slabUsed = 0;

  constructor(
    fileSystem: FileSystem,
    directory: string,
    files: SegmentFiles,
    poolCapacity: number,
    probe: ProbeSet | undefined,
    checkOpened?: OpenCheck,
  ) {
    this.fileSystem = withoutGuard(fileSystem);
    this.files = files;
    this.pool = new DescriptorPool(fileSystem, directory, files, poolCapacity, checkOpened);
    this.probe = probe;
    this.frameView = this.slabView;
  }

  /** What the descriptor pool holds open, and did so far. */
  get poolStats(): PoolStats {
    const { openCount, hits, misses, evictions } = this.pool;
    return {
      pooledDescriptors: openCount,
      poolHits: hits,
      poolMisses: misses,
      poolEvictions: evictions,
    };
  }

  /**
   * The valid frame at `ref`, from index `frameAt` of the buffer returned; nothing is ever written
   * there again.
   */
  read(ref: FrameRef, site: ReadSite, operation: number): Buffer {
    const { byteLength } = ref;
    const target = this.room(byteLength);
    const at = this.frameAt;
    const count = this.readInto(target, at, byteLength, ref, site, operation);
    this.checkFrame(this.frameView, at, count, ref, site, operation);
    return target;
  }

  /**
   * The value of the Put of `key` at `ref`. Throws `FRAME_MISMATCH` where a valid frame is another
   * record.
   */
  readValue(ref: FrameRef, key: Uint8Array, site: ReadSite, operation: number): Buffer {
    const bytes = this.read(ref, site, operation);
    return this.valueIn(bytes, this.frameView, this.frameAt, ref, key);
  }

  /** The record at `ref`, as an operation of its own. Key and payload share no memory. */
  readRecord(ref: RecordRef): LogRecord {
    const operation = this.probe?.begin('get') ?? 0;
    const startNs = partStart(operation);
    let failure: unknown;
    try {
      const bytes = this.read(this.files.frameOf(ref), 'get', operation);
      const record = recordIn(bytes, this.frameView, this.frameAt, ref.byteLength);
      // Key and payload are two values: one may be transferred without the other.
      return { ...record, key: copyOf(record.key) };
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const error = failure as StoreError | undefined;
      const durationNs = partDuration(operation, startNs);
      this.probe?.got(operation, error === undefined, startNs, durationNs, error);
    }
  }

  /**
   * The values at `refs`, which are all of one file and in ascending order, with one pread from the
   * first to the last. `keys` holds the key of each; `visit` is given each value with its index.
   */
  readValues(
    refs: readonly FrameRef[],
    keys: readonly Uint8Array[],
    site: ReadSite,
    operation: number,
    visit: (index: number, value: Buffer) => void,
  ): void {
    const [first, last] = [refs[0] as FrameRef, refs.at(-1) as FrameRef];
    const target = Buffer.allocUnsafeSlow(last.offset + last.byteLength - first.offset);
    const view = viewOf(target);
    const count = this.readInto(target, 0, target.length, first, site, operation);
    for (const [index, ref] of refs.entries()) {
      const at = ref.offset - first.offset;
      this.checkFrame(
        view,
        at,
        Math.max(0, Math.min(count - at, ref.byteLength)),
        ref,
        site,
        operation,
      );
      // A copy: a single value that is kept would hold the whole run.
      visit(index, this.ownCopy(this.valueIn(target, view, at, ref, keys[index] as Uint8Array)));
    }
  }

  /**
   * Reads so many bytes from where `ref` begins to index `at` of the target. Returns how many there
   * are.
   */
  private readInto(
    target: Buffer,
    at: number,
    length: number,
    ref: FrameRef,
    site: ReadSite,
    operation: number,
  ): number {
    const startNs = partStart(operation);
    let count = 0;
    try {
      const entry = this.pool.borrow(ref.file);
      try {
        count = readFully(this.fileSystem, entry.descriptor, target, at, length, ref.offset);
      } finally {
        if (entry.retired) this.pool.giveBack(entry);
      }
    } catch (error) {
      throw this.readFailed(error, ref, 0, site, operation, startNs);
    }
    if (this.probe !== undefined) this.reportRead(ref, count, site, operation, startNs, undefined);
    return count;
  }

  /** Does what `readValue` does, off the event loop and into a buffer of its own. */
  async readValueAsync(
    ref: FrameRef,
    key: Uint8Array,
    site: ReadSite,
    operation: number,
  ): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(ref.byteLength);
    const view = viewOf(target);
    const startNs = partStart(operation);
    let done = 0;
    try {
      const entry = this.pool.acquire(ref.file);
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
      throw this.readFailed(error, ref, done, site, operation, startNs);
    }
    this.reportRead(ref, done, site, operation, startNs, undefined);
    this.checkFrame(view, 0, done, ref, site, operation);
    return this.valueIn(target, view, 0, ref, key);
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

  close(): Promise<void> {
    return this.pool.close();
  }

  private ownCopy(value: Buffer): Buffer {
    const target = this.room(value.length);
    value.copy(target, this.frameAt);
    return Buffer.from(target.buffer, target.byteOffset + this.frameAt, value.length);
  }

  /** A buffer with room for a frame at `frameAt`. */
  private room(byteLength: number): Buffer {
    if (byteLength > SHORT_FRAME_BYTES) {
      const bytes = Buffer.allocUnsafeSlow(byteLength);
      this.frameAt = 0;
      this.frameView = viewOf(bytes);
      return bytes;
    }
    if (this.slabUsed + byteLength > SLAB_BYTES) {
      this.slab = sharedBuffer(SLAB_BYTES);
      this.slabView = viewOf(this.slab);
      this.slabUsed = 0;
    }
    this.frameView = this.slabView;
    this.frameAt = this.slabUsed;
    this.slabUsed += byteLength;
    return this.slab;
  }

  private reportRead(
    { file, offset }: FrameRef,
    count: number,
    site: ReadSite,
    operation: number,
    startNs: number,
    failure: StoreError | undefined,
  ): void {
    this.probe?.read(
      operation,
      site,
      this.files.segmentIdOf(file),
      offset,
      count,
      startNs,
      partDuration(operation, startNs),
      failure,
    );
  }

  /** Reports a pread that failed after `count` bytes, and makes its error. */
  private readFailed(
    error: unknown,
    ref: FrameRef,
    count: number,
    site: ReadSite,
    operation: number,
    startNs: number,
  ): StoreError {
    const failure = readError(error, this.files.refOf(ref));
    this.reportRead(ref, count, site, operation, startNs, failure);
    return failure;
  }

  /**
   * Throws unless the frame at `ref`, of which `count` bytes were read to `at`, is whole and the
   * one of that length.
   */
  private checkFrame(
    view: DataView,
    at: number,
    count: number,
    ref: FrameRef,
    site: ReadSite,
    operation: number,
  ): void {
    const { byteLength } = ref;
    if (count < byteLength) {
      throw this.mismatch(ref, `the segment ends after ${count} of ${byteLength} bytes`);
    }
    const { probe } = this;
    const startNs = partStart(operation);
    const ok = crcHolds(view, at, byteLength);
    if (probe !== undefined) {
      const durationNs = partDuration(operation, startNs);
      probe.crcValidated(operation, site, ok, byteLength, startNs, durationNs);
    }
    if (!ok) throw this.report(crcMismatch(this.files.refOf(ref)));
    if (!isFrameOf(view, at, byteLength)) throw this.mismatch(ref, whatIsNot(view, at));
  }

  /** The value of the valid frame at `at`, once it is known to be the Put of `key`. */
  private valueIn(
    bytes: Buffer,
    view: DataView,
    at: number,
    ref: FrameRef,
    key: Uint8Array,
  ): Buffer {
    if (headerType(view, at) !== RecordType.Put) {
      throw this.mismatch(ref, 'a record of another type stands there');
    }
    const keyAt = at + HEADER_BYTES;
    if (headerKeyLength(view, at) !== key.length || !sameBytes(bytes, keyAt, key)) {
      throw this.mismatch(ref, 'a record of another key stands there');
    }
    const start = keyAt + key.length;
    // Right behind a system call this costs much less than `subarray` does.
    return Buffer.from(
      bytes.buffer,
      bytes.byteOffset + start,
      at + ref.byteLength - CRC_BYTES - start,
    );
  }

  private mismatch(ref: FrameRef, what: string): StoreError {
    const { segmentId, offset } = this.files.refOf(ref);
    return this.report(
      new StoreError('FRAME_MISMATCH', `at ${placeName(segmentId, offset)}: ${what}`, {
        segmentId,
        offset,
        reason: what,
      }),
    );
  }

  private report(error: StoreError): StoreError {
    this.probe?.event?.({ kind: 'corrupted', error });
    return error;
  }
}

/** Why the bytes of a checksum that holds are not the frame that is wanted. */
function whatIsNot(view: DataView, at: number): string {
  const fault = headerFault(view, at);
  return fault === undefined
    ? 'a frame of another length stands there'
    : `no frame stands there: ${fault}`;
}

function sameBytes(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index++) {
    if (bytes[at + index] !== key[index]) return false;
  }
  return true;
}

function crcMismatch({ segmentId, offset, byteLength }: RecordRef): StoreError {
  const place = placeName(segmentId, offset);
  return new StoreError(
    'CRC_MISMATCH',
    `the checksum of the ${byteLength} bytes at ${place} does not hold; the bytes were not returned`,
    { segmentId, offset, reason: 'crc-mismatch' },
  );
}

function readError(error: unknown, ref: RecordRef): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(
    'READ_FAILED',
    `cannot read ${placeName(ref.segmentId, ref.offset)}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error, segmentId: ref.segmentId, offset: ref.offset },
  );
}
