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

/** What an opening found and did. Nothing is dropped without a line in here. */
export interface RecoveryReport {
  /**
   * - `created`: the directory held no log.
   * - `clean`: closed in order, nothing to do.
   * - `recovered`: not closed in order, or written by another program since.
   */
  readonly outcome: 'created' | 'clean' | 'recovered';
  /** The mark that was found; `witnessed` when no foreign writer came after it. Null when there was none. */
  readonly durableMark: {
    readonly segmentId: number;
    readonly offset: number;
    readonly nextTxid: number;
    readonly witnessed: boolean;
  } | null;
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
  /** Sentences on anything else worth knowing: a damaged sidecar, a foreign writer, no room for quarantine. */
  readonly notes: readonly string[];
  readonly durationNs: number;
}
