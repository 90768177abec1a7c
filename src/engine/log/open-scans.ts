import type { ProbeSet } from '../host/probe-set.ts';
import type { StoreFiles } from '../host/store-files.ts';
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
export class OpenScans implements ScanWatcher {
  private readonly files: StoreFiles;
  private readonly probe: ProbeSet | undefined;
  private readonly running = new Set<RunningScan>();

  constructor(files: StoreFiles, probe: ProbeSet | undefined) {
    this.files = files;
    this.probe = probe;
  }

  scan(segments: readonly LogSegment[]): Generator<ScannedRecord> {
    return scanSegments(this.files, segments, this.probe, this);
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
        opened.set(segmentId, openToScan(this.files, segmentId));
      }
    }
  }
}
