/**
 * Bytes of the frames of one file, by what they are worth. What is none of these is Raw records.
 */
export interface FileUsage {
  /** Puts, live or not. */
  putBytes: number;
  /** Puts that the keydir points to. */
  liveBytes: number;
  deleteBytes: number;
}

/**
 * What each file of a log holds, counted with every change of the keydir, so that it is exact at
 * any time.
 */
export class SegmentUsage {
  private readonly files = new Map<number, FileUsage>();
  private latestFile = -1;
  private latest: FileUsage = { putBytes: 0, liveBytes: 0, deleteBytes: 0 };

  /**
   * The counts of a file, to be read or changed. Kept at hand, because writes come in runs on one
   * file.
   */
  of(file: number): FileUsage {
    if (file === this.latestFile) return this.latest;
    let usage = this.files.get(file);
    if (usage === undefined) {
      usage = { putBytes: 0, liveBytes: 0, deleteBytes: 0 };
      this.files.set(file, usage);
    }
    this.latestFile = file;
    this.latest = usage;
    return usage;
  }

  forget(file: number): void {
    this.files.delete(file);
    this.latestFile = -1;
  }
}
