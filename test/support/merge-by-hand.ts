import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { RecordType } from '../../src/engine/format/format.ts';
import { decodeFrame, type LogRecord } from '../../src/engine/format/frame.ts';
import { seedOf } from '../../src/engine/format/key-hash.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { writeFully } from '../../src/engine/host/file-system.ts';
import { OpenFile } from '../../src/engine/host/open-file.ts';
import type { FileSystem } from '../../src/engine/index.ts';
import {
  encodeSealHeader,
  endsDigestOf,
  readSealHeader,
  type Seal,
  sealPath,
} from '../../src/engine/seal/seal-file.ts';
import { HintWriter } from '../../src/engine/seal/seal-hints.ts';
import { FrameCursor } from '../../src/engine/segment/frame-cursor.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';
import { announceMerge } from './announced-merge.ts';

/**
 * Does to the files of a store, with no help from the engine, what a merge of the sealed segments
 * `a` to `b` does; stops after each step that others can see.
 */
export function* mergeSteps(
  fileSystem: FileSystem,
  directory: string,
  a: number,
  b: number,
): Generator<string> {
  const first = readSealHeader(fileSystem, directory, a) as Seal;
  const last = readSealHeader(fileSystem, directory, b) as Seal;
  const merged = join(directory, 'merged.tmp');
  create(fileSystem, merged, Buffer.concat(keptFrames(fileSystem, directory, a, b)));
  const mergePath = sealPath(directory, b, '.merge');
  const seal = writeSeal(fileSystem, merged, mergePath, {
    ...last,
    firstId: first.firstId,
    firstTxid: first.firstTxid,
    predecessorIdentity: first.predecessorIdentity,
  });
  const ids = Array.from({ length: b - a + 1 }, (_, index) => a + index);
  announceMerge(fileSystem, directory, ids, seal);
  yield 'published';
  fileSystem.rename(merged, segmentPath(directory, b));
  yield 'renamed';
  fileSystem.rename(mergePath, sealPath(directory, b));
  yield 'sealed';
  for (let id = a; id < b; id++) {
    const empty = join(directory, 'empty.tmp');
    create(fileSystem, empty, Buffer.alloc(0));
    fileSystem.rename(empty, segmentPath(directory, id));
    yield 'emptied';
    if (fileSystem.stat(sealPath(directory, id)) !== undefined)
      fileSystem.remove(sealPath(directory, id));
    yield 'done with one';
  }
}

export function mergeByHand(fileSystem: FileSystem, directory: string, a: number, b: number): void {
  for (const _ of mergeSteps(fileSystem, directory, a, b));
}

interface Frame {
  readonly segmentId: number;
  readonly bytes: Buffer;
  readonly record: LogRecord;
}

/** The live frames of the run, and every Delete. */
function keptFrames(fileSystem: FileSystem, directory: string, a: number, b: number): Buffer[] {
  const frames = listSegments(fileSystem, directory).flatMap(({ segmentId, sizeBytes }) =>
    framesOf(fileSystem, directory, segmentId, sizeBytes),
  );
  const newest = new Map<string, Frame>();
  for (const frame of frames)
    if (frame.record.type !== RecordType.Raw)
      newest.set(Buffer.from(frame.record.key).toString('hex'), frame);
  const isKept = (frame: Frame) =>
    frame.record.type !== RecordType.Put ||
    newest.get(Buffer.from(frame.record.key).toString('hex')) === frame;
  return frames
    .filter((frame) => frame.segmentId >= a && frame.segmentId <= b && isKept(frame))
    .map(({ bytes }) => bytes);
}

function framesOf(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  sizeBytes: number,
): Frame[] {
  const bytes = Buffer.alloc(sizeBytes);
  const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
  fileSystem.read(descriptor, bytes, 0, sizeBytes, 0);
  fileSystem.close(descriptor);
  const frames: Frame[] = [];
  for (let offset = 0; offset < sizeBytes; ) {
    const decoded = decodeFrame(bytes, offset);
    // The active segment may be growing.
    if (!decoded.ok) break;
    const end = offset + decoded.byteLength;
    frames.push({ segmentId, bytes: bytes.subarray(offset, end), record: decoded.record });
    offset = end;
  }
  return frames;
}

function writeSeal(fileSystem: FileSystem, segment: string, path: string, like: Seal): Seal {
  const { sizeBytes } = fileSystem.stat(segment) as { sizeBytes: number };
  const descriptor = fileSystem.open(segment, 'read');
  const file = new OpenFile(fileSystem, descriptor);
  const target = fileSystem.open(path, 'create');
  const bytes = Buffer.alloc(sizeBytes);
  fileSystem.read(descriptor, bytes, 0, sizeBytes, 0);
  const hints = new HintWriter(new OpenFile(fileSystem, target), seedOf(like.storeId), sizeBytes);
  const frame = new FrameCursor({
    file,
    site: 'seal',
    segmentId: like.segmentId,
    endOffset: sizeBytes,
    chunk: Buffer.alloc(sizeBytes),
  });
  let recordCount = 0;
  for (; frame.next() === 'frame'; recordCount++) hints.add(frame, frame.offset);
  hints.flush();
  const seal: Seal = {
    ...like,
    byteLength: sizeBytes,
    recordCount,
    digest: createHash('sha256').update(bytes).digest(),
    endsDigest: endsDigestOf(file, sizeBytes),
    hintsCrc: hints.crc,
    hintCount: hints.count,
    hintsBytes: hints.sizeBytes,
  };
  const header = encodeSealHeader(seal);
  writeFully(fileSystem, target, header, 0, header.length, 0);
  fileSystem.close(descriptor);
  fileSystem.close(target);
  return seal;
}

function create(fileSystem: FileSystem, path: string, bytes: Buffer): void {
  const descriptor = fileSystem.open(path, 'create');
  writeFully(fileSystem, descriptor, bytes, 0, bytes.length, 0);
  fileSystem.close(descriptor);
}
