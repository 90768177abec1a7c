import type { FrameFault } from '../format/frame.ts';
import { KeyListBudget, type SealedRecords, type SealInventory } from '../seal/seal-inventory.ts';

/**
 * Bytes of the source that no valid frame covers, or that are gone although the seal or the durable
 * mark knows them.
 */
export interface LostRange {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  /** `unreadable`: the disk does not give the bytes, or some of them. */
  readonly damage:
    | FrameFault
    | 'unreadable'
    | 'segment-too-short'
    | 'missing-segment'
    /** Records that the seal knows are nowhere, and another segment stands in their place. */
    | 'contradicts-seal';
  /**
   * What the segment's seal file says, not the data; undefined where no seal is known to be of this
   * segment.
   */
  readonly bySeal: SealedRecords | undefined;
}

export type UnnamedRange = Omit<LostRange, 'bySeal'>;

/** A directory of garbage must not become a list without end. */
const LISTED_RANGES = 10_000;

/** What one segment has lost: all ranges counted, the first of them listed. */
export class RangesOfSegment {
  readonly listed: UnnamedRange[] = [];
  count = 0;
  byteLength = 0;
  private readonly segmentId: number;

  constructor(segmentId: number) {
    this.segmentId = segmentId;
  }

  /** Adds a range, behind those before it. */
  add(offset: number, byteLength: number, damage: LostRange['damage']): void {
    this.count++;
    this.byteLength += byteLength;
    if (this.listed.length < LISTED_RANGES)
      this.listed.push({ segmentId: this.segmentId, offset, byteLength, damage });
  }

  get isListed(): boolean {
    return this.listed.length === this.count;
  }
}

/** The same of a whole log, with what is known of each range. */
export class LostRanges {
  readonly listed: LostRange[] = [];
  count = 0;
  byteLength = 0;
  private readonly keyList = new KeyListBudget();

  /** Records that the seal names, and that no segment holds. */
  addUnfound(
    segmentId: number,
    damage: LostRange['damage'],
    inventory: SealInventory,
    txids: ReadonlySet<number>,
  ): void {
    const { byteLength, bySeal } = inventory.recordsWith(txids, this.keyList);
    this.count++;
    this.byteLength += byteLength;
    if (this.listed.length < LISTED_RANGES)
      this.listed.push({ segmentId, offset: 0, byteLength, damage, bySeal });
  }

  /** `inventory` is one that is believed. */
  add(ranges: RangesOfSegment, inventory: SealInventory | undefined): void {
    if (ranges.count === 0) return;
    this.count += ranges.count;
    this.byteLength += ranges.byteLength;
    const shown = ranges.listed.slice(0, LISTED_RANGES - this.listed.length);
    const records = inventory?.recordsOf(shown, this.keyList);
    for (const [index, range] of shown.entries())
      this.listed.push({ ...range, bySeal: records?.[index] });
  }
}
