import type { Damage } from './recovery-verdict.ts';

/** A range that the store no longer reads. */
export interface Discarded {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  /** What ended the valid log; ranges behind the first carry the same. */
  readonly damage: Damage;
  readonly because: string;
}

export interface QuarantinedRange extends Discarded {
  /** Where the bytes were saved, or null when they could not be (`notes` says why). */
  readonly quarantinePath: string | null;
}

/** The durable mark that was found; `witnessed` when no foreign writer came after it. */
export interface ReportedMark {
  readonly segmentId: number;
  readonly offset: number;
  readonly nextTxid: number;
  readonly witnessed: boolean;
}

/** What an opening found and did. Nothing is dropped without a line in here. */
export interface RecoveryReport {
  /**
   * - `created`: the directory held no log.
   * - `clean`: closed in order, nothing to do.
   * - `recovered`: not closed in order, or written by another program since.
   */
  readonly outcome: 'created' | 'clean' | 'recovered';
  /** Null when there was none. */
  readonly durableMark: ReportedMark | null;
  /** Read from end to end. */
  readonly segmentsScanned: number;
  /** Taken from their seal files, unread. */
  readonly segmentsFromSeals: number;
  readonly recordsKept: number;
  readonly bytesKept: number;
  readonly discarded: readonly QuarantinedRange[];
  /** Kept bytes at or after the mark, written again because the disk may never have had them. */
  readonly bytesRewritten: number;
  /** The txid that the next record gets. */
  readonly nextTxid: number;
  /**
   * Sentences on anything else worth knowing: a damaged sidecar, a foreign writer, no room for
   * quarantine.
   */
  readonly notes: readonly string[];
  readonly durationNs: number;
}

/** What an opening for reading found. It changes nothing. */
export interface SnapshotReport {
  /**
   * - `whole`: the valid log goes to the end of the last file.
   * - `unfinished`: something follows it, in flight while a writer lives, else left by a crash.
   */
  readonly outcome: 'whole' | 'unfinished';
  /** Null when there was none. */
  readonly durableMark: ReportedMark | null;
  /** Read from end to end. */
  readonly segmentsScanned: number;
  /** Taken from their seal files, unread. */
  readonly segmentsFromSeals: number;
  readonly recordsKept: number;
  readonly bytesKept: number;
  /**
   * What follows the end of the valid log. The next opening for writing discards it, unless more of
   * it has come by then.
   */
  readonly ignored: readonly Discarded[];
  /** Sentences on anything else worth knowing: a damaged sidecar, a foreign writer. */
  readonly notes: readonly string[];
  readonly durationNs: number;
}

export function reportMark(
  mark: Omit<ReportedMark, 'witnessed'> | undefined,
  witnessed: boolean,
): ReportedMark | null {
  if (mark === undefined) return null;
  const { segmentId, offset, nextTxid } = mark;
  return { segmentId, offset, nextTxid, witnessed };
}

/** Lines on a mark that cannot be taken as it is. */
export function markNotes(damagedSlots: number, mark: ReportedMark | null): string[] {
  const notes: string[] = [];
  if (damagedSlots > 0)
    notes.push(`${damagedSlots} of the two slots of durable-mark were damaged and ignored`);
  if (mark?.witnessed === false)
    notes.push(
      'another program, or a copy, came between: the durable mark proves only what lies before it',
    );
  return notes;
}
