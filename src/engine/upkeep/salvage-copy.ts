import { CRC_BYTES } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { BadBlocks } from '../host/bad-blocks.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import type { OpenLog } from '../log/open-log.ts';
import { FrameCursor } from '../segment/frame-cursor.ts';
import type { FrameRun } from './salvage-scan.ts';

/**
 * Copies runs of frames into a log in the order of their txids, which is the order in which they
 * were written, whatever the names of their segments are by now. Of equal frames one is copied.
 * datawal gives the txids of what it has lost to other records: of those the ones that lie behind
 * come last, and after them any of a segment that is what its seal says.
 */
export class OrderedCopy {
  recordsKept = 0;
  private readonly files: StoreFiles;
  private readonly log: OpenLog;
  private readonly turns: Turns;
  /** Told of the txid of every record that is copied. */
  private readonly onCopied: (txid: number) => void;
  /** The open files, by segment. */
  private readonly opened = new Map<number, OpenFile>();

  constructor(
    fileSystem: FileSystem,
    directory: string,
    log: OpenLog,
    turns: Turns,
    onCopied: (txid: number) => void,
  ) {
    this.files = new StoreFiles(new BadBlocks(fileSystem).reads, directory);
    this.log = log;
    this.turns = turns;
    this.onCopied = onCopied;
  }

  async copy(runs: readonly FrameRun[]): Promise<void> {
    try {
      await this.copyOrdered([...runs].sort((a, b) => a.firstTxid - b.firstTxid));
    } finally {
      this.closeAll();
    }
  }

  private closeAll(): void {
    for (const file of this.opened.values()) this.files.close(file);
    this.opened.clear();
  }

  private async copyOrdered(ordered: readonly FrameRun[]): Promise<void> {
    for (let from = 0; from < ordered.length; ) {
      // Those whose txids overlap, directly or by others between them.
      let lastTxid = (ordered[from] as FrameRun).lastTxid;
      let to = from + 1;
      for (; to < ordered.length && (ordered[to] as FrameRun).firstTxid <= lastTxid; to++)
        lastTxid = Math.max(lastTxid, (ordered[to] as FrameRun).lastTxid);
      await this.copyTogether(ordered.slice(from, to));
      // Where all is in order each segment is done with before the next: a process has fewer
      // descriptors than a log may have segments.
      if (this.opened.size >= MOST_DESCRIPTORS_KEPT) this.closeAll();
      from = to;
    }
  }

  /** Always takes the lowest txid of all that come next. */
  private async copyTogether(runs: readonly FrameRun[]): Promise<void> {
    const chunkBytes = Math.max(LEAST_CHUNK_BYTES, Math.floor(MOST_CHUNKS_BYTES / runs.length));
    let cursors: RunCursor[] = [];
    let waiting = 0;
    for (;;) {
      // A run is begun when its turn comes, so that few are held at a time.
      const lowest = lowestOf(cursors);
      const nextRun = runs[waiting];
      if (nextRun !== undefined && (lowest === undefined || nextRun.firstTxid <= lowest.txid)) {
        const cursor = new RunCursor(this.open(nextRun), nextRun, chunkBytes);
        waiting++;
        // What could be read a moment ago may not be any more.
        if (cursor.next()) cursors.push(cursor);
        continue;
      }
      if (lowest === undefined) return;
      const ended = await this.take(cursors, lowest.txid);
      if (ended.size > 0) cursors = cursors.filter((cursor) => !ended.has(cursor));
    }
  }

  private open({ segmentId }: FrameRun): OpenFile {
    const known = this.opened.get(segmentId);
    if (known !== undefined) return known;
    const file = this.files.open(segmentPath(this.files.directory, segmentId), 'read');
    this.opened.set(segmentId, file);
    // Counted here, taken behind the next record.
    this.turns.isDue(FILE_WORK_BYTES);
    return file;
  }

  /** Copies the records that have this txid; returns the runs that end with them. */
  private async take(cursors: readonly RunCursor[], txid: number): Promise<Set<RunCursor>> {
    const same = cursors.filter((cursor) => cursor.txid === txid).sort(byPlace);
    const copied: Uint8Array[] = [];
    let byteLength = 0;
    for (const { frame } of same) {
      const { frameAt, bytes } = frame;
      const whole = bytes.subarray(frameAt, frameAt + frame.byteLength);
      if (copied.some((other) => Buffer.compare(other, whole) === 0)) continue;
      if (same.length > 1) copied.push(Buffer.from(whole));
      copyFrame(frame, this.log);
      this.recordsKept++;
      byteLength += frame.byteLength;
    }
    this.onCopied(txid);
    const ended = new Set(same.filter((cursor) => !cursor.next()));
    if (this.turns.isDue(byteLength)) await this.turns.next();
    return ended;
  }
}

/** Runs of one segment often follow each other. */
const MOST_DESCRIPTORS_KEPT = 16;
const LEAST_CHUNK_BYTES = 4096;
/** The memory for all runs whose txids overlap. */
const MOST_CHUNKS_BYTES = 1024 * 1024;

function byPlace({ run: a }: RunCursor, { run: b }: RunCursor): number {
  return (
    Number(a.isVouched) - Number(b.isVouched) ||
    a.segmentId - b.segmentId ||
    a.startOffset - b.startOffset
  );
}

/** Stands at one frame of a run, once `next` was called. */
class RunCursor {
  readonly run: FrameRun;
  readonly frame: FrameCursor;

  constructor(file: OpenFile, run: FrameRun, chunkBytes: number) {
    const { segmentId, startOffset, endOffset } = run;
    this.run = run;
    this.frame = new FrameCursor({
      file,
      site: 'verify',
      segmentId,
      startOffset,
      endOffset,
      chunk: Buffer.allocUnsafeSlow(Math.min(chunkBytes, endOffset - startOffset)),
    });
  }

  get txid(): number {
    return this.frame.txid;
  }

  /** False at the end of the run. */
  next(): boolean {
    return this.frame.next() === 'frame';
  }
}

function lowestOf(cursors: readonly RunCursor[]): RunCursor | undefined {
  return cursors.reduce<RunCursor | undefined>(
    (lowest, cursor) => (lowest !== undefined && lowest.txid <= cursor.txid ? lowest : cursor),
    undefined,
  );
}

function copyFrame(frame: FrameCursor, log: OpenLog): void {
  const payloadAt = frame.keyAt + frame.keyLength;
  log.writer.append(
    frame.type,
    frame.bytes.subarray(frame.keyAt, payloadAt),
    frame.bytes.subarray(payloadAt, frame.frameAt + frame.byteLength - CRC_BYTES),
  );
}
