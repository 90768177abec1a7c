import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { TraceEvent } from '../../file-systems/trace.ts';

/** What a program did to its directory, and what it said meanwhile. */
export interface Recording {
  readonly first: DiskImage;
  readonly inodeOf: (path: string) => number;
  /** The events in order; `/` is the directory of the store. */
  readonly events: readonly RecordedEvent[];
  readonly marks: readonly Mark[];
  /** Files that were mapped shared and writable: what went through the map is not in the events. */
  readonly mapped: readonly string[];
  /** Why the images would not be those of a power cut, in words; empty when they are. */
  readonly troubles: readonly string[];
  /** All system calls that were recorded. */
  readonly calls: number;
}

export interface RecordedEvent {
  readonly event: TraceEvent;
  /** The system call that made it. */
  readonly call: RecordedCall;
}

export interface RecordedCall {
  readonly number: number;
  /** The call in the words of a story. */
  readonly text: string;
}

/** A line that the program wrote, and how many events had begun before it. */
export interface Mark {
  readonly text: string;
  readonly at: number;
  readonly call: number;
}
