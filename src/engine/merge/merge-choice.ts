import type { FileUsage } from '../keydir/segment-usage.ts';
import type { Seal } from '../seal/seal-file.ts';

/** A final segment, as far as it matters to whether it should be merged. */
export interface MergeCandidate {
  readonly segmentId: number;
  readonly sizeBytes: number;
  /** Only segments with a seal are merged; undefined for those that have none yet. */
  readonly seal: Seal | undefined;
  readonly usage: Readonly<FileUsage>;
}

/** Smaller ones are taken along by a merge beside them, so that they do not pile up. */
const SMALL_SHARE = 1 / 8;

/** Segments of one merge that hold anything: so many descriptors it keeps open at most. */
export const MOST_INPUTS = 16;

/**
 * The contiguous run of segments whose merge gives back the most for what it copies: the one with
 * the largest share of garbage, if that is at least `deadRatio`, and its neighbours as long as they
 * are worth it too and what counts of all of them fits in one segment. Undefined when there is
 * none.
 */
export function chooseRun<T extends MergeCandidate>(
  segments: readonly T[],
  deadRatio: number,
  segmentBytes: number,
): readonly T[] | undefined {
  const lowest = segments.findIndex(({ sizeBytes }) => sizeBytes > 0);
  const garbageAt = segments.map((segment, index) => garbageBytes(segment, index === lowest));
  const shareOf = (index: number) =>
    (garbageAt[index] as number) / Math.max((segments[index] as T).sizeBytes, 1);
  let best = -1;
  for (const [index, { sizeBytes, seal }] of segments.entries()) {
    if (sizeBytes === 0 || seal === undefined || (garbageAt[index] as number) === 0) continue;
    if (shareOf(index) >= deadRatio && (best === -1 || shareOf(index) > shareOf(best)))
      best = index;
  }
  if (best === -1) return undefined;
  const keptOf = (index: number) => (segments[index] as T).sizeBytes - (garbageAt[index] as number);
  let kept = keptOf(best);
  let inputs = 1;
  const extend = (from: number, step: 1 | -1): number => {
    let end = from;
    for (let index = from + step; segments[index] !== undefined; index += step) {
      const { sizeBytes, seal } = segments[index] as T;
      // Empty ones lie between the ends of a run, never at one.
      if (sizeBytes === 0) continue;
      const isWorthIt = shareOf(index) >= deadRatio || sizeBytes <= segmentBytes * SMALL_SHARE;
      if (seal === undefined || !isWorthIt || kept + keptOf(index) > segmentBytes) break;
      if (inputs === MOST_INPUTS) break;
      kept += keptOf(index);
      inputs++;
      end = index;
    }
    return end;
  };
  const first = extend(best, -1);
  const last = extend(best, 1);
  return segments.slice(first, last + 1);
}

/**
 * Bytes that a merge would leave out. Of Deletes that is known only in the lowest segment, where
 * all of them go.
 */
export function garbageBytes({ sizeBytes, usage }: MergeCandidate, isLowest: boolean): number {
  if (sizeBytes === 0) return 0;
  return usage.putBytes - usage.liveBytes + (isLowest ? usage.deleteBytes : 0);
}
