import type { FrameFault } from '../format/frame.ts';
import { rangeAt } from '../host/byte-range.ts';

/** What a scrub found wrong. */
export type VerifyFault =
  | FrameFault
  /** The device does not give the bytes. */
  | 'unreadable'
  /** A segment has no file, or its file is shorter than the log. */
  | 'missing-segment'
  | 'segment-too-short'
  /** A txid that is not above those before it. */
  | 'txid-not-increasing'
  /** The seal file itself is damaged. Nothing is lost: an opening reads the segment instead. */
  | 'damaged-seal'
  /** The seal file is of another store, and counts for nothing. */
  | 'foreign-seal'
  /** The segment is not the one that was sealed, or not the one that follows its predecessor. */
  | 'contradicts-seal'
  /** A live key for which the log holds no Put where the keydir says. */
  | 'keydir-dangling'
  /** A live key for which the log holds something newer than the keydir knows. */
  | 'keydir-stale'
  /** A record is live, and the keydir does not know its key. */
  | 'keydir-missing';

/** One damaged range of a segment (of its seal file, for `damaged-seal`), in bytes. */
export interface VerifyDamage {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  readonly what: VerifyFault;
  /** Live keys whose newest values lie in the range, or of which the fault is. */
  readonly liveKeyCount: number;
  /** The first 1,000 of them. */
  readonly liveKeys: readonly Uint8Array[];
}

export interface VerifyReport {
  readonly segments: number;
  readonly records: number;
  readonly scannedBytes: number;
  /** Seal files that were held against their segments. */
  readonly seals: number;
  /** The damages in log order, the first 10,000; empty for a sound store. */
  readonly damages: readonly VerifyDamage[];
  /** The number of all damages, listed or not. */
  readonly damageCount: number;
  readonly durationNs: number;
}

const LISTED_DAMAGES = 10_000;
const LISTED_KEYS = 1_000;

type OpenDamage = { -readonly [Name in keyof VerifyDamage]: VerifyDamage[Name] } & {
  liveKeys: Uint8Array[];
};

/** Faults of the bytes: what lies in their range cannot be read. */
const RANGES: ReadonlySet<VerifyFault> = new Set<VerifyFault>([
  'truncated',
  'bad-magic',
  'unknown-version',
  'unknown-type',
  'nonzero-flags',
  'txid-out-of-range',
  'key-too-long',
  'payload-too-long',
  'crc-mismatch',
  'unreadable',
  'missing-segment',
  'segment-too-short',
]);

/** Gathers damages, and finds the range that a place lies in. */
export class DamageList {
  count = 0;
  private readonly listed: OpenDamage[] = [];
  private readonly ranges = new Map<number, OpenDamage[]>();

  add(
    segmentId: number,
    offset: number,
    byteLength: number,
    what: VerifyFault,
    liveKey?: Uint8Array,
  ): void {
    this.count++;
    const liveKeys = liveKey === undefined ? [] : [liveKey];
    const damage = { segmentId, offset, byteLength, what, liveKeyCount: liveKeys.length, liveKeys };
    if (this.listed.length < LISTED_DAMAGES) this.listed.push(damage);
    if (!RANGES.has(what)) return;
    const inSegment = this.ranges.get(segmentId);
    if (inSegment === undefined) this.ranges.set(segmentId, [damage]);
    else inSegment.push(damage);
  }

  /** Does a damaged range lie at or behind this place? What it held nobody knows. */
  reachBeyond(segmentId: number, offset: number): boolean {
    for (const [id, ranges] of this.ranges) {
      if (id > segmentId || (id === segmentId && (ranges.at(-1)?.offset ?? 0) >= offset))
        return true;
    }
    return false;
  }

  /**
   * Notes the live key in the damaged range of its record; false when the record lies in none. A
   * damaged length may claim whole records behind it: what is whole all the same (`isWhole`) is not
   * hit.
   */
  hit(segmentId: number, offset: number, key: () => Uint8Array, isWhole: () => boolean): boolean {
    const ranges = this.ranges.get(segmentId);
    if (ranges === undefined) return false;
    const range = ranges[rangeAt(ranges, offset)];
    if (range === undefined) return false;
    if (isWhole()) return true;
    range.liveKeyCount++;
    if (range.liveKeys.length < LISTED_KEYS) range.liveKeys.push(key());
    return true;
  }

  inLogOrder(): VerifyDamage[] {
    return this.listed.toSorted((a, b) => a.segmentId - b.segmentId || a.offset - b.offset);
  }
}
