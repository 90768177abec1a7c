import { segmentPath } from '../format/segment-name.ts';
import { closeQuietly, type FileSystem } from '../host/file-system.ts';
import { OpenFile } from '../host/open-file.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import { Turns } from '../host/turns.ts';
import { FrameCursor, SCAN_CHUNK_BYTES } from '../segment/frame-cursor.ts';
import {
  checkIdentity,
  isSameFile,
  listIdentities,
  type Snapshot,
  type SnapshotSegment,
} from './reader-snapshot.ts';

interface TailSource {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
}

/**
 * Reads what was appended behind a snapshot into it, in log order: at any moment it is the state of
 * a prefix of the log.
 */
export class SnapshotTail {
  records = 0;
  private readonly source: TailSource;
  private readonly snapshot: Snapshot;
  private readonly operation: number;
  private readonly turns: Turns;

  constructor(source: TailSource, snapshot: Snapshot, operation: number, checkOpen: () => void) {
    this.source = source;
    this.snapshot = snapshot;
    this.operation = operation;
    this.turns = new Turns(SCAN_CHUNK_BYTES, checkOpen);
  }

  /**
   * False when the log is no longer the one of the snapshot, or shows that it is not as it is read.
   */
  async append(): Promise<boolean> {
    const { fileSystem, directory } = this.source;
    const listed = listIdentities(fileSystem, directory);
    const byId = new Map(listed.map((segment) => [segment.segmentId, segment]));
    const { segments } = this.snapshot;
    for (const segment of segments.values()) {
      // Nothing points into what was empty, or absorbed; such segments come and go.
      if (segment.sealed && segment.sizeBytes === 0) continue;
      if (!isSameFile(segment, byId.get(segment.segmentId)?.identity)) return false;
    }
    const last = [...segments.values()].at(-1);
    for (const segment of listed) {
      if (last !== undefined && segment.segmentId < last.segmentId) continue;
      const fromOffset = segment.segmentId === last?.segmentId ? last.sizeBytes : 0;
      if (!(await this.scan(segment, fromOffset))) return false;
    }
    return true;
  }

  private async scan(segment: SnapshotSegment, fromOffset: number): Promise<boolean> {
    const { fileSystem, directory, probe } = this.source;
    const { keydir, segments } = this.snapshot;
    const { segmentId, sizeBytes, sealed } = segment;
    segments.set(segmentId, { ...segment, sizeBytes: fromOffset });
    if (sizeBytes === fromOffset) return true;
    const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
    try {
      const file = new OpenFile(fileSystem, descriptor);
      checkIdentity(segment, file.stat());
      const frame = new FrameCursor({
        file,
        probe,
        operation: this.operation,
        site: 'scan',
        segmentId,
        startOffset: fromOffset,
        endOffset: sizeBytes,
        chunk: Buffer.allocUnsafeSlow(Math.min(SCAN_CHUNK_BYTES, sizeBytes - fromOffset)),
      });
      for (;;) {
        const state = frame.next();
        // At the end of the last segment it is in flight.
        if (state !== 'frame') return state === 'end' || !sealed;
        // Two segments of different times, one before a merge and one after it, were read together.
        if (frame.txid <= this.snapshot.lastTxid) return false;
        keydir.apply(segmentId, frame);
        const end = frame.offset + frame.byteLength;
        segments.set(segmentId, { ...segment, sizeBytes: end });
        this.snapshot.lastTxid = frame.txid;
        this.records++;
        if (this.turns.isDue(frame.byteLength)) await this.turns.next();
      }
    } finally {
      closeQuietly(fileSystem, descriptor);
    }
  }
}
