import type { Mutant } from './mutant.ts';

/**
 * Mistakes in what vouches for a segment beside its own bytes: the seal of the next one, the mark,
 * which sums up what lies before it, and the merges that change that.
 */
export const EVIDENCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'mark-holdings-not-compared',
    mistake: 'what the mark says of the segments before it is not held against them',
    edits: [
      {
        file: 'directory-evidence',
        find: 'if (held.merged === undefined)',
        replace: 'if (false)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'successor-identity-not-asked',
    mistake: 'a segment without a seal need not be the one that the next one was sealed behind',
    edits: [
      {
        file: 'directory-evidence',
        find: 'else if (!digest.equals(identity))',
        replace: 'else if (false)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-without-segment-not-noticed',
    mistake: 'segments may be gone whose seals are there',
    edits: [
      {
        file: 'directory-evidence',
        find: 'if (covered.has(segmentId)) continue; yield',
        replace: 'if (segmentId > 0) continue; yield',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'mark-inside-merge-believed',
    mistake: 'a mark may lie inside a segment that a merge has written later',
    edits: [
      {
        file: 'directory-evidence',
        find: 'mark.offset === 0 || seal === undefined || !isMerged(seal)',
        replace: 'true',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-not-announced',
    mistake: 'the mark does not say, before a merge is published, what it will leave',
    edits: [
      {
        file: 'log-holdings',
        find: 'this.afterMerge = { change, output };',
        replace: '',
      },
      {
        file: 'log-holdings',
        find: 'if (this.afterMerge === undefined) return;',
        replace: 'return;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'merge-not-counted',
    mistake: 'after a merge the mark goes on with what was there before',
    edits: [
      {
        file: 'log-holdings',
        find: 'this.total = addHoldings(this.total, change);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'merged-segment-by-its-length',
    mistake: 'the output of a merge is told from what stood there before by its length alone',
    edits: [
      {
        file: 'log-holdings',
        find: 'if (mergedDigest !== undefined)',
        replace: 'if (false)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merged-segment-sealed-as-first-written',
    mistake: 'the lost seal of a merged segment is written again as if nothing had been merged',
    edits: [
      {
        file: 'segment-sealer',
        find: 'this.options.merged?.has(segmentId) ? NO_IDENTITY : undefined',
        replace: 'undefined',
      },
    ],
    checks: ['corners'],
  },
];
