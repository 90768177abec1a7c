import type { FileSystem } from '../host/file-system.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import {
  openToScan,
  type RunningScan,
  type ScannedRecord,
  type ScanWatcher,
  scanSegments,
} from '../segment/segment-records.ts';

/**
 * The scans of a log that are going on. Each sees the segments that there were when it began,
 * whatever merges do since.
 */
export class LogScans implements ScanWatcher {
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly probe: ProbeSet | undefined;
  private readonly running = new Set<RunningScan>();
  private descriptors = 0;

  constructor(fileSystem: FileSystem, directory: string, probe: ProbeSet | undefined) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.probe = probe;
  }

  /** Files held open. */
  get descriptorCount(): number {
    return this.descriptors;
  }

  /**
   * Counts what others hold open who read the log beside it: 1 for each file that is opened, and -1
   * when it is closed.
   */
  count(change: 1 | -1): void {
    this.descriptors += change;
  }

  scan(segments: readonly LogSegment[]): Generator<ScannedRecord> {
    return scanSegments(this.fileSystem, this.directory, segments, this.probe, this);
  }

  began(scan: RunningScan): void {
    this.running.add(scan);
  }

  ended(scan: RunningScan): void {
    this.running.delete(scan);
  }

  /**
   * Opens what scans have yet to read of these segments, whose names are about to be taken by other
   * files.
   */
  openAhead(segmentIds: readonly number[]): void {
    for (const { segments, next, opened } of this.running) {
      for (const { segmentId, sizeBytes } of segments.slice(next)) {
        if (sizeBytes === 0 || opened.has(segmentId) || !segmentIds.includes(segmentId)) continue;
        opened.set(segmentId, openToScan(this.fileSystem, this.directory, segmentId));
        this.descriptors++;
      }
    }
  }
}
