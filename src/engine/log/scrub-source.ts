import type { DescriptorCounting } from '../host/counted-descriptor.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import type { LogHoldings } from '../lock/log-holdings.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import type { LogPosition } from './log-sync.ts';

/** What whoever reads the files of a log in slices, while it is written, goes by. */
export interface ScrubSource extends DescriptorCounting {
  readonly directory: string;
  readonly probe: ProbeSet | undefined;
  /** As they are now, ascending; the last is the active one. */
  readonly segments: () => readonly LogSegment[];
  /** Throws `STORE_CLOSED` after `close`. */
  readonly checkOpen: () => void;
}

/** The same for a backup. */
export interface BackupSource extends ScrubSource {
  readonly storeId: Buffer;
  /** What a mark says of the sealed segments. */
  readonly holdings: LogHoldings;
  /**
   * Makes durable what was appended before the call, unless the writer is poisoned, and says how
   * far the log is.
   */
  readonly sync: () => Promise<LogPosition>;
}
