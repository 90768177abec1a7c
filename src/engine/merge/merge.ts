import { RecordType } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { errnoOf, StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import { Turns } from '../host/turns.ts';
import type { Keydir } from '../keydir/keydir.ts';
import type { OpenLog } from '../log/open-log.ts';
import { SealBuilder } from '../seal/seal-builder.ts';
import {
  endsDigestOf,
  MERGE_COPY_SUFFIX,
  MERGE_SUFFIX,
  MERGE_TEMPORARY_SUFFIX,
  type Seal,
  sealPath,
} from '../seal/seal-file.ts';
import { damagedFrame, FrameCursor } from '../segment/frame-cursor.ts';
import type { MergeCandidate } from './merge-choice.ts';
import { publishMerge } from './publish-merge.ts';

/** Read between two turns of the event loop: about a millisecond of small records. */
const BYTES_PER_TURN = 128 * 1024;

/** What one merge did. Bytes of segments. */
export interface MergeResult {
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/**
 * Merges a contiguous run of sealed segments into one that takes the last of their ids. Reads and
 * writes go on meanwhile. `check` is called between slices, and throws where the merge is to end
 * early: then, as after any failure before the output is published, nothing has changed. Throws
 * `CRC_MISMATCH` or `FRAME_MISMATCH` for a damaged input, `NO_SPACE`.
 */
export async function mergeRun(
  log: OpenLog,
  keydir: Keydir,
  run: readonly MergeCandidate[],
  operation: number,
  check: () => void,
): Promise<MergeResult> {
  const merge = new Merge(log, keydir, run, operation, check);
  return merge.run();
}

class Merge {
  private readonly log: OpenLog;
  private readonly fileSystem: FileSystem;
  private readonly keydir: Keydir;
  private readonly segments: readonly MergeCandidate[];
  private readonly operation: number;
  private readonly check: () => void;
  private readonly turns: Turns;
  /** The id of the output. */
  private readonly segmentId: number;
  private readonly paths: {
    readonly copy: string;
    readonly seal: string;
    readonly published: string;
  };
  /** Frames of the output that are not written yet. */
  private readonly buffer = Buffer.allocUnsafeSlow(BYTES_PER_TURN);
  private bufferedBytes = 0;
  private outputBytes = 0;
  private putBytes = 0;
  private deleteBytes = 0;
  /** The id of the first segment that holds anything. */
  private readonly lowestId: number;

  constructor(
    log: OpenLog,
    keydir: Keydir,
    segments: readonly MergeCandidate[],
    operation: number,
    check: () => void,
  ) {
    this.log = log;
    this.fileSystem = log.files.fileSystem;
    this.keydir = keydir;
    this.segments = segments;
    this.operation = operation;
    this.check = check;
    this.turns = new Turns(BYTES_PER_TURN, check);
    this.segmentId = (segments.at(-1) as MergeCandidate).segmentId;
    this.paths = {
      copy: sealPath(log.files.directory, this.segmentId, MERGE_COPY_SUFFIX),
      seal: sealPath(log.files.directory, this.segmentId, MERGE_TEMPORARY_SUFFIX),
      published: sealPath(log.files.directory, this.segmentId, MERGE_SUFFIX),
    };
    this.lowestId = log.tail.sealed.find(({ sizeBytes }) => sizeBytes > 0)?.segmentId ?? 0;
  }

  async run(): Promise<MergeResult> {
    const { log, keydir, segments } = this;
    this.checkSpace();
    const file = log.reader.files.reserve(this.segmentId);
    let seal: Seal;
    try {
      seal = await this.copy();
      this.check();
      const usage = keydir.usage.of(file);
      usage.putBytes = this.putBytes;
      usage.deleteBytes = this.deleteBytes;
      const inputs = new Set(segments.map(({ segmentId }) => log.reader.files.fileOf(segmentId)));
      await publishMerge(log, keydir, { run: segments, inputs, output: file, seal }, this.check);
      for (const input of inputs) keydir.usage.forget(input);
    } catch (error) {
      // Once it is published nothing of this is there any more, or the log is poisoned and the next
      // opening sees to it.
      if (log.poisonedBy === undefined) this.removeTemporaries();
      keydir.usage.forget(file);
      throw ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')
        ? noSpace(log.files.directory, error)
        : error;
    }
    const inputBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { inputBytes, outputBytes: seal.byteLength };
  }

  private checkSpace(): void {
    const { log, segments } = this;
    let wanted = 0;
    for (const { sizeBytes, usage } of segments)
      wanted += sizeBytes - (usage.putBytes - usage.liveBytes);
    // The seal is never longer than what it is about.
    if (this.fileSystem.freeBytes(log.files.directory) < 2 * wanted)
      throw noSpace(log.files.directory);
  }

  private async copy(): Promise<Seal> {
    const { log, segments } = this;
    this.removeTemporaries();
    return log.files.use(this.paths.copy, 'create', (copy) =>
      log.files.use(this.paths.seal, 'create', async (sealFile) => {
        const inputBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const builder = new SealBuilder(sealFile, log.storeId, this.segmentId, inputBytes);
        for (const segment of segments) await this.copySegment(segment, copy, builder);
        this.flush(copy, builder);
        const seal = builder.finish(this.sealRest());
        await copy.syncAsync();
        await sealFile.syncAsync();
        return seal;
      }),
    );
  }

  private async copySegment(
    { segmentId, sizeBytes }: MergeCandidate,
    copy: OpenFile,
    builder: SealBuilder,
  ): Promise<void> {
    if (sizeBytes === 0) return;
    const { log } = this;
    const file = log.reader.files.fileOf(segmentId);
    const path = segmentPath(log.files.directory, segmentId);
    await log.files.use(path, 'read', async (source) => {
      const frame = new FrameCursor({
        file: source,
        probe: log.probe,
        operation: this.operation,
        site: 'compact',
        segmentId,
        endOffset: sizeBytes,
        chunk: Buffer.allocUnsafeSlow(Math.min(BYTES_PER_TURN, sizeBytes)),
      });
      for (let state = frame.next(); state !== 'end'; state = frame.next()) {
        if (state === 'damaged') throw this.damaged(segmentId, frame);
        if (this.counts(frame, file, segmentId)) this.append(frame, copy, builder);
        if (this.turns.isDue(frame.byteLength)) await this.turns.next();
      }
    });
  }

  /** Must this record be in the output? For the Deletes that need not, see publish-merge.ts. */
  private counts(frame: FrameCursor, file: number, segmentId: number): boolean {
    const { bytes, keyAt, keyLength } = frame;
    switch (frame.type) {
      case RecordType.Raw:
        return true;
      case RecordType.Put:
        return this.keydir.isLive(bytes, keyAt, keyAt + keyLength, file, frame.offset);
      case RecordType.Delete:
        return segmentId !== this.lowestId && !this.keydir.hasAt(bytes, keyAt, keyAt + keyLength);
    }
  }

  private append(frame: FrameCursor, copy: OpenFile, builder: SealBuilder): void {
    const { byteLength, frameAt } = frame;
    if (this.bufferedBytes + byteLength > this.buffer.length) this.flush(copy, builder);
    builder.add(frame, this.outputBytes + this.bufferedBytes);
    if (frame.type === RecordType.Put) this.putBytes += byteLength;
    if (frame.type === RecordType.Delete) this.deleteBytes += byteLength;
    if (byteLength > this.buffer.length) {
      this.write(frame.bytes.subarray(frameAt, frameAt + byteLength), copy, builder);
      return;
    }
    frame.bytes.copy(this.buffer, this.bufferedBytes, frameAt, frameAt + byteLength);
    this.bufferedBytes += byteLength;
  }

  private flush(copy: OpenFile, builder: SealBuilder): void {
    this.write(this.buffer.subarray(0, this.bufferedBytes), copy, builder);
    this.bufferedBytes = 0;
  }

  private write(bytes: Buffer, copy: OpenFile, builder: SealBuilder): void {
    copy.write(bytes, this.outputBytes);
    builder.digest(bytes);
    this.outputBytes += bytes.length;
  }

  private sealRest(): Parameters<SealBuilder['finish']>[0] {
    const seals = this.segments.flatMap(({ seal }) => seal ?? []);
    const [first, last] = [seals[0] as Seal, seals.at(-1) as Seal];
    return {
      firstId: first.firstId,
      byteLength: this.outputBytes,
      identity: last.identity,
      predecessorIdentity: first.predecessorIdentity,
      firstTxid: seals.find(({ firstTxid }) => firstTxid > 0)?.firstTxid ?? 0,
      lastTxid: Math.max(...seals.map(({ lastTxid }) => lastTxid)),
      endsDigest: this.log.files.useNow(this.paths.copy, 'read', (copy) =>
        endsDigestOf(copy, this.outputBytes),
      ),
    };
  }

  private damaged(segmentId: number, frame: FrameCursor): StoreError {
    const error = damagedFrame(segmentId, frame);
    this.log.probe?.event?.({ kind: 'corrupted', error });
    return error;
  }

  private removeTemporaries(): void {
    for (const path of [this.paths.published, this.paths.seal, this.paths.copy]) {
      if (this.fileSystem.stat(path) !== undefined) this.fileSystem.remove(path);
    }
  }
}

function noSpace(directory: string, cause?: unknown): StoreError {
  return new StoreError(
    'NO_SPACE',
    `not enough room in ${directory} to merge segments; nothing was changed. Free some, or compactTo a directory elsewhere`,
    { path: directory, cause },
  );
}
