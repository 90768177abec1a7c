import { crc32c } from '../format/crc32c.ts';
import { CRC_BYTES, HEADER_BYTES, MAX_KEY_BYTES, type RecordType } from '../format/format.ts';
import { encodeFrame, encodeHeader, frameBytes, viewOf, writeUint32 } from '../format/frame.ts';
import { segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import {
  closeQuietly,
  type FileStat,
  type FileSystem,
  writeFully,
  writeVectorFully,
} from '../host/file-system.ts';
import { objectionTo } from '../host/held-directory.ts';

/**
 * Frames are put together here: one small frame, or as many of a batch as fit. The segments of a
 * log share one.
 */
const WRITE_BUFFER_BYTES = 256 * 1024;

/** A payload from here on goes as a vector: copying it would cost more. */
const VECTOR_PAYLOAD_BYTES = 32 * 1024;

/**
 * Appends frames to one segment, at positions that it counts itself. Nothing stays in user space:
 * when `append` or `flush` returns, the kernel has the bytes, and they survive the death of the
 * process.
 *
 * A segment has two descriptors because the kernel reports a failed write-back once per descriptor:
 * one that appends and on which a writer that cannot go on blocks in a sync, and one for the syncs
 * in the thread pool. With a single one, the report could go to a pool thread whose answer has not
 * been delivered yet, and the blocking sync beside it would succeed although the data is lost.
 */
export class SegmentWriter {
  readonly segmentId: number;
  readonly appendDescriptor: number;
  readonly syncDescriptor: number;
  /** Bytes that the kernel has. */
  sizeBytes: number;
  /** Bytes of staged frames that `flush` will write. */
  stagedBytes = 0;

  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly path: string;
  private readonly file: FileStat;
  private readonly buffer: Buffer;
  private readonly view: DataView;
  private readonly trailer = Buffer.alloc(CRC_BYTES);

  private constructor(
    fileSystem: FileSystem,
    directory: string,
    segmentId: number,
    mode: 'write' | 'create',
    sizeBytes: number,
    buffer: Buffer,
  ) {
    const path = segmentPath(directory, segmentId);
    this.path = path;
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.segmentId = segmentId;
    this.sizeBytes = sizeBytes;
    this.buffer = buffer;
    this.view = viewOf(buffer);
    this.appendDescriptor = fileSystem.open(path, mode);
    try {
      lockSegment(fileSystem, directory, path, this.appendDescriptor);
      this.file = fileSystem.statDescriptor(this.appendDescriptor);
      this.syncDescriptor = fileSystem.open(path, 'write');
    } catch (error) {
      closeQuietly(fileSystem, this.appendDescriptor);
      // Nothing was written into it: the rotation was not.
      if (mode === 'create') fileSystem.remove(path);
      throw error;
    }
  }

  /** Opens a segment to go on behind its first `sizeBytes`, which are all of it. */
  static open(
    fileSystem: FileSystem,
    directory: string,
    segmentId: number,
    sizeBytes: number,
  ): SegmentWriter {
    const buffer = Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
    return new SegmentWriter(fileSystem, directory, segmentId, 'write', sizeBytes, buffer);
  }

  /**
   * Creates the next segment, whose name is the caller's to sync. Nothing may be staged here, nor
   * appended any more.
   */
  createNext(): SegmentWriter {
    const { fileSystem, directory, segmentId, buffer } = this;
    return new SegmentWriter(fileSystem, directory, segmentId + 1, 'create', 0, buffer);
  }

  /** Is there no next one? Then a `createNext` that failed has changed nothing. */
  isLast(): boolean {
    return this.fileSystem.stat(segmentPath(this.directory, this.segmentId + 1)) === undefined;
  }

  /** What is wrong where the segment's name does not lead to the file that is written. */
  objection(): StoreError | undefined {
    return objectionTo(this.fileSystem, this.directory, this.path, this.file);
  }

  /** Appends one frame with one write call. */
  append(type: RecordType, txid: number, key: Uint8Array, payload: Uint8Array): void {
    if (payload.length >= VECTOR_PAYLOAD_BYTES) {
      this.appendVector(type, txid, key, payload);
      return;
    }
    const byteLength = encodeFrame(this.buffer, 0, type, txid, key, payload, this.view);
    writeFully(this.fileSystem, this.appendDescriptor, this.buffer, 0, byteLength, this.sizeBytes);
    this.sizeBytes += byteLength;
  }

  /** Can this frame go into the next write, with what is staged? Large payloads never can. */
  canStage(key: Uint8Array, payload: Uint8Array): boolean {
    const stagedBytes = this.stagedBytes + frameBytes(key.length, payload.length);
    return payload.length < VECTOR_PAYLOAD_BYTES && stagedBytes <= this.buffer.length;
  }

  /** Adds a frame that `canStage` to the next write. */
  stage(type: RecordType, txid: number, key: Uint8Array, payload: Uint8Array): void {
    this.stagedBytes += encodeFrame(
      this.buffer,
      this.stagedBytes,
      type,
      txid,
      key,
      payload,
      this.view,
    );
  }

  /** Writes what is staged, with one write call. */
  flush(): void {
    if (this.stagedBytes === 0) return;
    writeFully(
      this.fileSystem,
      this.appendDescriptor,
      this.buffer,
      0,
      this.stagedBytes,
      this.sizeBytes,
    );
    this.sizeBytes += this.stagedBytes;
    this.stagedBytes = 0;
  }

  /** Forgets what is staged, and not written. */
  dropStaged(): void {
    this.stagedBytes = 0;
  }

  close(): void {
    closeQuietly(this.fileSystem, this.appendDescriptor);
    closeQuietly(this.fileSystem, this.syncDescriptor);
  }

  private appendVector(type: RecordType, txid: number, key: Uint8Array, payload: Uint8Array): void {
    encodeHeader(this.view, 0, type, txid, key.length, payload.length);
    this.buffer.set(key, HEADER_BYTES);
    const front = this.buffer.subarray(0, HEADER_BYTES + key.length);
    writeUint32(this.trailer, 0, crc32c(payload, crc32c(front)));
    writeVectorFully(
      this.fileSystem,
      this.appendDescriptor,
      [front, payload, this.trailer],
      this.sizeBytes,
    );
    this.sizeBytes += frameBytes(key.length, payload.length);
  }
}

/**
 * Whoever appends to a segment holds the kernel lock on it as well. `.lock` is the lock; but where
 * it was removed or replaced while a writer had it, or two directories share the files by hard
 * links, a second writer finds `.lock` free, and would write over what the first one writes.
 */
export function lockSegment(
  fileSystem: FileSystem,
  directory: string,
  path: string,
  descriptor: number,
): void {
  if (fileSystem.tryLock(descriptor) !== 'busy') return;
  throw new StoreError(
    'STORE_LOCKED',
    `${path} is being written by another writer, although ${directory} could be locked: its lock files were removed or replaced while it was open, or another directory has hard links to its files. Close the other writer first`,
    { path: directory },
  );
}

if (WRITE_BUFFER_BYTES < frameBytes(MAX_KEY_BYTES, VECTOR_PAYLOAD_BYTES)) {
  throw new Error('the write buffer must hold the largest frame that is not written as a vector');
}
