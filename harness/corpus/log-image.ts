import { basename } from 'node:path';
import { FIRST_SEGMENT_ID, SEGMENT_SUFFIX } from '../../src/engine/format/format.ts';
import { encodeFrame, frameBytes } from '../../src/engine/format/frame.ts';
import { segmentName } from '../../src/engine/format/segment-name.ts';
import { SLOT_BYTES } from '../../src/engine/format/slot-file.ts';
import { PoisonLatch } from '../../src/engine/host/poison-latch.ts';
import { StoreFiles } from '../../src/engine/host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../../src/engine/host/turns.ts';
import { type BytesLike, openLog, type RecordLog, RecordType } from '../../src/engine/index.ts';
import { MARK_FILE } from '../../src/engine/lock/durable-mark.ts';
import { LOCK_FILE } from '../../src/engine/lock/writer-lock.ts';
import { SegmentSealer } from '../../src/engine/log/segment-sealer.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { SealSet } from '../../src/engine/seal/seal-set.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import type { FixtureFiles } from './fixture.ts';
import {
  datawalLockFile,
  type MarkPosition,
  markFile,
  STORE_ID,
  witnessingLockFile,
} from './sidecars.ts';

/**
 * A log written by the engine, to be damaged in memory. Every change returns the same image, so
 * that they chain.
 */
export class LogImage {
  readonly files: FixtureFiles;
  private readonly contents: Map<string, Buffer>;

  /** Only the segments count: sidecars, which hold random bytes, are left behind. */
  constructor(files: FixtureFiles) {
    const segments = [...files].filter(([name]) => name.endsWith(SEGMENT_SUFFIX)).sort();
    this.contents = new Map(segments.map(([name, bytes]) => [name, Buffer.from(bytes)]));
    this.files = this.contents;
  }

  flip(segmentId: number, offset: number): this {
    const bytes = this.segment(segmentId);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0xff, offset);
    return this;
  }

  overwrite(segmentId: number, offset: number, bytes: Uint8Array): this {
    this.segment(segmentId).set(bytes, offset);
    return this;
  }

  cut(segmentId: number, sizeBytes: number): this {
    return this.file(segmentName(segmentId), this.segment(segmentId).subarray(0, sizeBytes));
  }

  append(segmentId: number, ...parts: Uint8Array[]): this {
    return this.file(segmentName(segmentId), Buffer.concat([this.segment(segmentId), ...parts]));
  }

  remove(segmentId: number): this {
    this.contents.delete(segmentName(segmentId));
    return this;
  }

  copy(from: number, to: number): this {
    return this.file(segmentName(to), this.segment(from));
  }

  file(name: string, bytes: Uint8Array): this {
    this.contents.set(name, Buffer.from(bytes));
    return this;
  }

  /** Seal files of all segments but the last, as they are now. */
  async sealed(storeId = STORE_ID): Promise<this> {
    const fileSystem = new MemoryFileSystem();
    fileSystem.makeDirectory('/log');
    for (const [name, bytes] of this.contents) fileSystem.shareFile(`/log/${name}`, bytes);
    const segments = listSegments(fileSystem, '/log').slice(0, -1);
    const sealer = new SegmentSealer(
      {
        files: new StoreFiles(fileSystem, '/log'),
        storeId,
        latch: new PoisonLatch(() => {}),
        probe: undefined,
        seals: await SealSet.read(
          new StoreFiles(fileSystem, '/log'),
          storeId,
          new Turns(OPENING_SLICE_BYTES),
        ),
        lowestId: segments[0]?.segmentId ?? FIRST_SEGMENT_ID,
      },
      segments,
    );
    sealer.start();
    await sealer.finish();
    for (const { segmentId } of segments) {
      const path = sealPath('/log', segmentId);
      this.file(basename(path), fileSystem.readFile(path));
    }
    return this;
  }

  removeSeal(segmentId: number): this {
    this.contents.delete(basename(sealPath('/', segmentId)));
    return this;
  }

  flipSeal(segmentId: number, offset: number): this {
    const name = basename(sealPath('/', segmentId));
    const bytes = Buffer.from(this.contents.get(name) as Buffer);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0xff, offset);
    return this.file(name, bytes);
  }

  /**
   * A durable mark at the last of the positions, and a lock file that says nobody came after it.
   */
  witnessedMark(...positions: MarkPosition[]): this {
    return this.mark(positions).file(LOCK_FILE, witnessingLockFile());
  }

  /** A durable mark, and a lock file that says datawal opened the log after it. */
  foreignMark(...positions: MarkPosition[]): this {
    return this.mark(positions).file(LOCK_FILE, datawalLockFile());
  }

  /**
   * Writes what `witnessedMark` does; each mark also sums up the segments before it, which hold so
   * many bytes.
   */
  summedMark(held: readonly number[], ...positions: MarkPosition[]): this {
    return this.file(MARK_FILE, markFile(positions, held)).file(LOCK_FILE, witnessingLockFile());
  }

  damageMarkSlot(index: number): this {
    const bytes = this.contents.get(MARK_FILE) as Buffer;
    const at = index * SLOT_BYTES + 20;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
    return this;
  }

  private mark(positions: readonly MarkPosition[]): this {
    return this.file(MARK_FILE, markFile(positions));
  }

  private segment(segmentId: number): Buffer {
    const bytes = this.contents.get(segmentName(segmentId));
    if (bytes === undefined) throw new RangeError(`there is no segment ${segmentId}`);
    return bytes;
  }
}

/** Bytes of every frame of `putsInSegments`, so that its frames start at multiples of it. */
export const PUT_BYTES = 32;

/**
 * A segment for each count, holding that many puts: `k1`=`v1`, `k2`=`v2` and so on, at most nine in
 * all.
 */
export function putsInSegments(...counts: number[]): Promise<LogImage> {
  return logWritten((log) => {
    let index = 0;
    for (const [segment, count] of counts.entries()) {
      if (segment > 0) log.rotate();
      for (const last = index + count; index < last; ) {
        index++;
        log.appendRecord(RecordType.Put, `k${index}`, `v${index}`);
      }
    }
  });
}

/** What the engine makes of these calls, in memory. */
export async function logWritten(write: (log: RecordLog) => void): Promise<LogImage> {
  const fileSystem = new MemoryFileSystem();
  const log = await openLog('/log', { fileSystem });
  write(log);
  await log.close();
  return new LogImage(
    new Map(fileSystem.list('/log').map((name) => [name, fileSystem.readFile(`/log/${name}`)])),
  );
}

/** `k1`=`v1` and so on, from the first to the last. */
export function pairs(first: number, last: number): Record<string, string> {
  const entries: [string, string][] = [];
  for (let index = first; index <= last; index++) entries.push([`k${index}`, `v${index}`]);
  return Object.fromEntries(entries);
}

/** The frame of one put, with any txid. */
export function putFrame(txid: number, key: string, value: BytesLike): Buffer {
  const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
  const frame = Buffer.alloc(frameBytes(keyBytes.length, valueBytes.length));
  encodeFrame(frame, 0, RecordType.Put, txid, keyBytes, valueBytes);
  return frame;
}
