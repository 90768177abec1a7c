import type { FileSystem } from './file-system.ts';
import type { LogPosition } from './log-sync.ts';
import type { ProbeSet } from './probe-set.ts';
import type { LogSegment } from './segment-list.ts';

/** What whoever reads the files of a log in slices, while it is written, goes by. */
export interface ScrubSource {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  /** As they are now, ascending; the last is the active one. */
  readonly segments: () => readonly LogSegment[];
  /** Throws `STORE_CLOSED` after `close`. */
  readonly checkOpen: () => void;
  /** To be told 1 for each file that is opened, and -1 when it is closed. */
  readonly onDescriptors: (change: 1 | -1) => void;
}

/** The same for a backup. */
export interface BackupSource extends ScrubSource {
  readonly storeId: Buffer;
  /** Makes durable what was appended before the call, unless the writer is poisoned, and says how far the log is. */
  readonly sync: () => Promise<LogPosition>;
}
