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
  {
    name: 'reader-does-not-judge',
    mistake: 'a reader does not ask whether mark, seals and segments agree',
    edits: [
      {
        file: 'reader-snapshot',
        find: 'await requireAgreement(contents, turns); const scan',
        replace: 'const scan',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'foreign-seal-held-against-segment',
    mistake: 'a scrub holds the seal of another store against a segment',
    edits: [
      {
        file: 'verify-segment',
        find: "seal.storeId.equals(storeId) ? seal : 'foreign'",
        replace: 'seal',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'salvage-in-order-of-names',
    mistake: 'salvage copies segments in the order of their names, whatever is in them',
    edits: [
      {
        file: 'salvage-copy',
        find: '[...runs].sort((a, b) => a.firstTxid - b.firstTxid)',
        replace: '[...runs]',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'salvage-copies-twice',
    mistake: 'salvage copies a record as often as it finds it',
    edits: [
      {
        file: 'salvage-copy',
        find: 'if (copied.some((other) => Buffer.compare(other, whole) === 0)) continue;',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'salvage-copies-absorbed',
    mistake: 'salvage copies what a merge has absorbed, and with it what was deleted since',
    edits: [{ file: 'salvage', find: 'if (left.has(segmentId)) continue;', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'salvage-holds-no-seal',
    mistake: 'salvage does not hold a whole segment against its seal',
    edits: [{ file: 'salvage', find: "if (sealed === 'contradicts')", replace: 'if (false)' }],
    checks: ['corners'],
  },
  {
    name: 'salvage-names-nothing-unfound',
    mistake: 'salvage does not name the records that a seal knows and no segment holds',
    edits: [
      {
        file: 'salvage',
        find: 'this.lost.addUnfound(segmentId, damage, inventory, sought.txids);',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
];
