import type { DurableMark } from '../lock/durable-mark.ts';
import {
  addHoldings,
  type HeldSegment,
  type Holdings,
  holdingsOf,
  isSameHoldings,
  type MarkedHoldings,
  subtractHoldings,
  sumOfHoldings,
} from '../lock/log-holdings.ts';
import { isMerged } from '../seal/seal-file.ts';
import type { SealSet } from '../seal/seal-set.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import type { Damage } from './recovery-verdict.ts';

/**
 * Does what a directory holds agree with itself? A sealed segment is vouched for by its own seal,
 * by the seal of the next one, which names its identity, and by the durable mark, which sums up
 * what lies before it. Each may be missing: the others then speak. What is decided here concerns
 * segments that are not there, or are not the ones that were; whether a segment is what its own
 * seal says, and what damage inside of one means, is found where it is read.
 */
export interface DirectoryEvidence {
  /** Ascending; those that a merge has absorbed are empty, whatever they still hold. */
  readonly segments: readonly LogSegment[];
  readonly seals: SealSet;
  readonly mark: DurableMark | undefined;
}

/** Something that a directory holds, or lacks, although a seal or the mark says otherwise. */
export interface Contradiction {
  readonly segmentId: number;
  readonly offset: number;
  readonly damage: Damage;
  readonly because: string;
}

export interface Judgement {
  readonly contradictions: readonly Contradiction[];
  /**
   * Segments without a seal that a merge had written, with their digests: their seals are written
   * again as seals of such.
   */
  readonly merged: ReadonlyMap<number, Buffer>;
}

/** Segments whose digests the judgement depends on. */
export interface DigestsWanted {
  readonly digestsWanted: readonly number[];
}

/**
 * A pure function. It is asked again with the digests that it wants: those of segments without a
 * seal, and only where something depends on them.
 */
export function judgeDirectory(
  evidence: DirectoryEvidence,
  digests: ReadonlyMap<number, Buffer>,
): Judgement | DigestsWanted {
  const { segments, seals, mark } = evidence;
  const contradictions: Contradiction[] = [
    ...sealsWithoutSegment(evidence),
    ...markWithoutLog(evidence),
    ...markInsideMerge(evidence),
  ];
  const merged = new Map<number, Buffer>();
  if (mark?.holdings !== undefined) {
    const held = matchHoldings(evidence, mark.segmentId, mark.holdings, digests);
    if ('digestsWanted' in held) return held;
    if (held.merged === undefined)
      contradictions.push(otherHoldings(evidence, mark.segmentId, mark.holdings));
    for (const [id, digest] of held.merged ?? []) merged.set(id, digest);
  }
  const wanted: number[] = [];
  const covered = seals.covered(segments.map(({ segmentId }) => segmentId));
  for (const [index, { segmentId, sizeBytes }] of segments.entries()) {
    // One that is longer than its seal may be followed by nothing that was sealed behind it.
    if (seals.of(segmentId)?.byteLength === sizeBytes) continue;
    if (covered.has(segmentId) || merged.has(segmentId)) continue;
    const identity = seals.identityBySuccessor(segmentId);
    if (identity === undefined) continue;
    const digest = digests.get(segmentId);
    if (digest === undefined) wanted.push(segmentId);
    else if (!digest.equals(identity)) {
      // An earlier version of this program took the seal of the lowest segment away for a while,
      // after a merge. Its mark could not tell.
      if (mark?.holdings === undefined && index === 0 && segmentId > 1 && sizeBytes > 0)
        merged.set(segmentId, digest);
      else
        contradictions.push({
          segmentId,
          offset: 0,
          damage: 'contradicts-seal',
          because: 'the seal file of the next segment was written behind another one',
        });
    }
  }
  if (wanted.length > 0) return { digestsWanted: wanted };
  return { contradictions, merged };
}

/** How a segment that is final is summed up. `merged` are those without a seal that are outputs. */
export function heldSegment(
  { segmentId, sizeBytes }: LogSegment,
  seals: SealSet,
  merged: ReadonlyMap<number, Buffer>,
): HeldSegment {
  const seal = seals.of(segmentId);
  const mergedDigest =
    seal?.byteLength !== sizeBytes
      ? merged.get(segmentId)
      : isMerged(seal)
        ? seal.digest
        : undefined;
  return { segmentId, sizeBytes, mergedDigest };
}

/** The seal goes before its segment, when a segment is removed at all. */
function* sealsWithoutSegment({ segments, seals }: DirectoryEvidence): Generator<Contradiction> {
  const present = new Set(segments.map(({ segmentId }) => segmentId));
  const missing = [...seals].map(({ segmentId }) => segmentId).filter((id) => !present.has(id));
  const covered = seals.covered(missing);
  for (const segmentId of missing) {
    if (covered.has(segmentId)) continue;
    yield {
      segmentId,
      offset: 0,
      damage: 'missing-segment',
      because: 'its seal file is there, and the segment is not',
    };
  }
}

/** Segment 1 has its name on disk before there is a mark. */
function* markWithoutLog({ segments, mark }: DirectoryEvidence): Generator<Contradiction> {
  if (segments.length > 0 || mark === undefined) return;
  yield {
    segmentId: mark.segmentId,
    offset: 0,
    damage: 'ends-before-mark',
    because: 'the durable mark is there, and no segment is',
  };
}

/** Everything that a merge puts together lies before both slots of the mark. */
function* markInsideMerge({ seals, mark }: DirectoryEvidence): Generator<Contradiction> {
  const seal = mark === undefined ? undefined : seals.of(mark.segmentId);
  if (mark === undefined || mark.offset === 0 || seal === undefined || !isMerged(seal)) return;
  yield {
    segmentId: mark.segmentId,
    offset: 0,
    damage: 'contradicts-mark',
    because: 'the durable mark lies inside a segment that a merge has written later',
  };
}

/** More segments without a seal are not tried in all their combinations. */
const MOST_TRIED = 12;

/**
 * Is it what the mark says, with which of the segments without a seal being outputs of merges?
 * Undefined when it is not.
 */
function matchHoldings(
  { segments, seals }: DirectoryEvidence,
  markedId: number,
  { before, afterMerge }: MarkedHoldings,
  digests: ReadonlyMap<number, Buffer>,
): { readonly merged: ReadonlyMap<number, Buffer> | undefined } | DigestsWanted {
  const final = segments.filter(
    ({ segmentId, sizeBytes }) => segmentId < markedId && sizeBytes > 0,
  );
  const none = new Map<number, Buffer>();
  const found = sumOfHoldings(final.map((segment) => heldSegment(segment, seals, none)));
  const marked = [before, afterMerge];
  if (marked.some((one) => isSameHoldings(one, found))) return { merged: none };
  const isAsLong = (one: Holdings) =>
    one.segmentCount === found.segmentCount && one.byteLength === found.byteLength;
  const unsealed = final.filter(({ segmentId }) => seals.of(segmentId) === undefined);
  const wanted = marked.filter(isAsLong);
  if (wanted.length === 0 || unsealed.length === 0 || unsealed.length > MOST_TRIED)
    return { merged: undefined };
  const digestsWanted = unsealed.map(({ segmentId }) => segmentId).filter((id) => !digests.has(id));
  if (digestsWanted.length > 0) return { digestsWanted };
  const changes = unsealed.map((segment) => {
    const digest = digests.get(segment.segmentId) as Buffer;
    const asMerged = holdingsOf({ ...segment, mergedDigest: digest });
    const asWritten = holdingsOf({ ...segment, mergedDigest: undefined });
    return { id: segment.segmentId, digest, change: subtractHoldings(asMerged, asWritten) };
  });
  for (let chosen = 1; chosen < 2 ** changes.length; chosen++) {
    const outputs = changes.filter((_change, index) => (chosen & (1 << index)) !== 0);
    const sum = outputs.reduce((all, { change }) => addHoldings(all, change), found);
    if (wanted.some((one) => isSameHoldings(one, sum)))
      return { merged: new Map(outputs.map(({ id, digest }) => [id, digest])) };
  }
  return { merged: undefined };
}

/** Names the likely place: an id that is missing, or a segment that nothing vouches for. */
function otherHoldings(
  { segments, seals }: DirectoryEvidence,
  markedId: number,
  { lowestId, before }: MarkedHoldings,
): Contradiction {
  const final = segments.filter(({ segmentId }) => segmentId < markedId);
  const held = final.filter(({ sizeBytes }) => sizeBytes > 0);
  const found = held.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const because = `the durable mark knows of ${before.byteLength} bytes in ${before.segmentCount} segments before it, and there are ${found === before.byteLength ? 'others' : `${found} in ${held.length}`}`;
  const at = (segmentId: number, offset: number, damage: Damage): Contradiction => ({
    segmentId,
    offset,
    damage,
    because,
  });
  const firstId = segments[0]?.segmentId ?? markedId;
  if (lowestId !== 0 && lowestId < firstId && before.segmentCount > held.length)
    return at(lowestId, 0, 'missing-segment');
  const gap = segments.findIndex(({ segmentId }, index) => segmentId !== firstId + index);
  if (gap !== -1 && firstId + gap < markedId) return at(firstId + gap, 0, 'missing-segment');
  const unvouched = final.find(({ segmentId }) => seals.of(segmentId) === undefined) ?? final[0];
  const isShort = found < before.byteLength;
  return at(
    unvouched?.segmentId ?? markedId,
    isShort ? (unvouched?.sizeBytes ?? 0) : 0,
    'contradicts-mark',
  );
}
