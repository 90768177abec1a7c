/** Steps left out at once, at first. */
const LARGEST_DROP = 256;

/**
 * Makes a failing list of `count` steps shorter, by their numbers: first the shortest prefix that
 * fails, then without whatever it fails without. Ends with the best that it has when the time is
 * over.
 */
export async function shrinkSteps(
  count: number,
  fails: (kept: readonly number[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly number[]> {
  let passing = 0;
  let failing = count;
  while (failing - passing > 1 && hasTime()) {
    const middle = (passing + failing) >>> 1;
    if (await fails(firstNumbers(middle))) failing = middle;
    else passing = middle;
  }
  let kept: readonly number[] = firstNumbers(failing);
  for (let dropped = LARGEST_DROP; dropped >= 1; dropped /= 2) {
    // Larger ones were tried by cutting the end off, or leave next to nothing.
    if (dropped > kept.length / 2 && dropped > 1) continue;
    for (let end = kept.length; end > 0 && hasTime(); end -= dropped) {
      const shorter = kept.filter((_, index) => index < end - dropped || index >= end);
      if (await fails(shorter)) kept = shorter;
    }
  }
  return kept;
}

export function firstNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
