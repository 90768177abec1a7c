import { readUint32, writeUint32 } from '../format/frame.ts';

/**
 * What a log holds, summed up so small that the durable mark can say it: how many segments before
 * the mark have bytes, how many bytes, and a sum over what identifies each of them. Sealed segments
 * never change but by merges, so that one that was cut, emptied, removed or put back from another
 * moment changes the sum, with its seal file or without.
 */

/** A segment that is final, as far as it can be told from another one under its id. */
export interface HeldSegment {
  readonly segmentId: number;
  readonly sizeBytes: number;
  /**
   * SHA-256 of the output of a merge: its length may be that of what stood there before. Undefined
   * for a segment as it was first written, of which an earlier version is shorter.
   */
  readonly mergedDigest: Buffer | undefined;
}

export interface Holdings {
  /** Those that hold anything. */
  readonly segmentCount: number;
  readonly byteLength: number;
  /** Two sums modulo 2^32. */
  readonly sums: readonly [number, number];
}

/** What the durable mark says of the segments in front of the one that it stands in. */
export interface MarkedHoldings {
  /** The lowest segment that holds anything; 0 when none does. */
  readonly lowestId: number;
  readonly before: Holdings;
  /** The same once the merge that is being published has ended; else as `before`. */
  readonly afterMerge: Holdings;
}

export const NO_HOLDINGS: Holdings = { segmentCount: 0, byteLength: 0, sums: [0, 0] };

export function holdingsOf(segment: HeldSegment): Holdings {
  const { segmentId, sizeBytes, mergedDigest } = segment;
  if (sizeBytes === 0) return NO_HOLDINGS;
  const words = [segmentId, sizeBytes % 2 ** 32, Math.floor(sizeBytes / 2 ** 32)];
  if (mergedDigest !== undefined)
    words.push(readUint32(mergedDigest, 0), readUint32(mergedDigest, 4));
  return {
    segmentCount: 1,
    byteLength: sizeBytes,
    sums: [mixed(words, 0x9e3779b9), mixed(words, 0x7f4a7c15)],
  };
}

export function addHoldings(a: Holdings, b: Holdings): Holdings {
  return combined(a, b, 1);
}

export function subtractHoldings(a: Holdings, b: Holdings): Holdings {
  return combined(a, b, -1);
}

export function isSameHoldings(a: Holdings, b: Holdings): boolean {
  return (
    a.segmentCount === b.segmentCount &&
    a.byteLength === b.byteLength &&
    a.sums[0] === b.sums[0] &&
    a.sums[1] === b.sums[1]
  );
}

export function sumOfHoldings(segments: Iterable<HeldSegment>): Holdings {
  let sum = NO_HOLDINGS;
  for (const segment of segments) sum = addHoldings(sum, holdingsOf(segment));
  return sum;
}

/** Keeps the sum for the writer of a log, whose mark moves on with every sync. */
export class LogHoldings {
  /** Those that hold anything, ascending. */
  private readonly held = new Map<number, Holdings>();
  /** The sum over all segments. */
  private total = NO_HOLDINGS;
  /** The highest segment that was asked for, and the ids from there on, ascending. */
  private askedId = 0;
  private recent: number[] = [];
  private afterMerge: { readonly change: Holdings; readonly output: HeldSegment } | undefined;

  /** The sealed segments that an opening has found, ascending. */
  constructor(segments: Iterable<HeldSegment>) {
    for (const segment of segments) this.add(segment);
  }

  /** The log has rotated away from a segment. */
  add(segment: HeldSegment): void {
    if (segment.sizeBytes === 0) return;
    const held = holdingsOf(segment);
    this.held.set(segment.segmentId, held);
    this.total = addHoldings(this.total, held);
    this.recent.push(segment.segmentId);
  }

  /** What a mark in that segment says. Cheap for one that moves on. */
  before(segmentId: number): MarkedHoldings {
    if (segmentId > this.askedId) {
      this.askedId = segmentId;
      this.recent = this.recent.filter((id) => id >= segmentId);
    }
    const behind =
      segmentId < this.askedId
        ? [...this.held.keys()].filter((id) => id >= segmentId)
        : this.recent;
    let before = this.total;
    for (const id of behind) before = subtractHoldings(before, this.held.get(id) ?? NO_HOLDINGS);
    const [lowestId = 0] = this.held.keys();
    const { afterMerge } = this;
    return {
      lowestId: before.segmentCount === 0 ? 0 : lowestId,
      before,
      afterMerge: afterMerge === undefined ? before : addHoldings(before, afterMerge.change),
    };
  }

  /** A merge is going to put `output` in the place of the segments of these ids. */
  beginMerge(segmentIds: readonly number[], output: HeldSegment): void {
    let change = holdingsOf(output);
    for (const id of segmentIds)
      change = subtractHoldings(change, this.held.get(id) ?? NO_HOLDINGS);
    this.afterMerge = { change, output };
  }

  /** It has ended before anything of it could be seen. */
  cancelMerge(): void {
    this.afterMerge = undefined;
  }

  /** The output stands in its place, durably. */
  endMerge(segmentIds: readonly number[]): void {
    if (this.afterMerge === undefined) return;
    const { change, output } = this.afterMerge;
    this.afterMerge = undefined;
    this.total = addHoldings(this.total, change);
    for (const id of segmentIds) if (id !== output.segmentId) this.held.delete(id);
    if (output.sizeBytes > 0) this.held.set(output.segmentId, holdingsOf(output));
    else this.held.delete(output.segmentId);
  }
}

/**
 * The layout in the mark's body: version(1) lowestId(4), then twice segments(4) bytes(8) sums(4,
 * 4).
 */
const HOLDINGS_VERSION = 1;
const HOLDINGS_BYTES = 20;
export const MARKED_HOLDINGS_BYTES = 1 + 4 + 2 * HOLDINGS_BYTES;

export function encodeMarkedHoldings(
  { lowestId, before, afterMerge }: MarkedHoldings,
  bytes: Buffer,
  at: number,
): void {
  bytes[at] = HOLDINGS_VERSION;
  writeUint32(bytes, at + 1, lowestId);
  encodeHoldings(before, bytes, at + 5);
  encodeHoldings(afterMerge, bytes, at + 5 + HOLDINGS_BYTES);
}

/** Undefined for a version that a later program may write. */
export function decodeMarkedHoldings(bytes: Buffer, at: number): MarkedHoldings | undefined {
  if (bytes.length < at + MARKED_HOLDINGS_BYTES || bytes[at] !== HOLDINGS_VERSION) return undefined;
  return {
    lowestId: readUint32(bytes, at + 1),
    before: decodeHoldings(bytes, at + 5),
    afterMerge: decodeHoldings(bytes, at + 5 + HOLDINGS_BYTES),
  };
}

function encodeHoldings(
  { segmentCount, byteLength, sums }: Holdings,
  bytes: Buffer,
  at: number,
): void {
  writeUint32(bytes, at, segmentCount);
  bytes.writeBigUInt64LE(BigInt(byteLength), at + 4);
  writeUint32(bytes, at + 12, sums[0]);
  writeUint32(bytes, at + 16, sums[1]);
}

function decodeHoldings(bytes: Buffer, at: number): Holdings {
  return {
    segmentCount: readUint32(bytes, at),
    byteLength: Number(bytes.readBigUInt64LE(at + 4)),
    sums: [readUint32(bytes, at + 12), readUint32(bytes, at + 16)],
  };
}

function combined(a: Holdings, b: Holdings, sign: 1 | -1): Holdings {
  return {
    segmentCount: a.segmentCount + sign * b.segmentCount,
    byteLength: a.byteLength + sign * b.byteLength,
    sums: [(a.sums[0] + sign * b.sums[0]) >>> 0, (a.sums[1] + sign * b.sums[1]) >>> 0],
  };
}

function mixed(words: readonly number[], seed: number): number {
  let hash = seed;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
