import type { DescriptorCount } from './process-view.ts';

/**
 * Does a process hold exactly the descriptors that its store should have, and none of a deleted
 * file? A file that is being closed in the background counts as open on both sides, and has lost
 * its name already. What cannot be counted is not waited for.
 */
export function isAtRest(
  descriptors: DescriptorCount | undefined,
  baseline: DescriptorCount | undefined,
  /** Descriptors beyond the baseline; undefined when the store does not say. */
  expected: number | undefined,
): boolean {
  if (descriptors === undefined || baseline === undefined) return true;
  if (descriptors.deleted > baseline.deleted) return false;
  return expected === undefined || descriptors.open - baseline.open === expected;
}
