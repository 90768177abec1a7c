import type { FrameFault } from '../format/frame.ts';

/** What is wrong at the place where the valid log ends. */
export type Damage =
  | FrameFault
  /**
   * Zeros to the end of the file, or the start of a header and then zeros: what a power cut leaves.
   */
  | 'unfinished-start'
  | 'txid-not-increasing'
  /** Each txid behind the durable mark is known in advance. */
  | 'txid-not-next'
  | 'missing-segment'
  | 'ends-before-mark'
  /**
   * The mark lies inside a valid frame, or names a txid that older records have: not this log's
   * mark.
   */
  | 'contradicts-mark'
  /** A segment is shorter than its valid seal says. */
  | 'ends-before-seal'
  /**
   * A segment is not the one that its valid seal is about, or the seals do not follow each other.
   */
  | 'contradicts-seal';

export const DAMAGES: readonly Damage[] = [
  'truncated',
  'bad-magic',
  'unknown-version',
  'unknown-type',
  'nonzero-flags',
  'txid-out-of-range',
  'key-too-long',
  'payload-too-long',
  'crc-mismatch',
  'unfinished-start',
  'txid-not-increasing',
  'txid-not-next',
  'missing-segment',
  'ends-before-mark',
  'contradicts-mark',
  'ends-before-seal',
  'contradicts-seal',
];

export interface DamageEvidence {
  readonly damage: Damage;
  /**
   * What the mark or a seal proves, whichever proves more. Nothing is durable where there is
   * neither.
   */
  readonly position: 'durable' | 'not-durable';
  /** Is there a mark, and does `.lock` show that no foreign writer came after it? */
  readonly witnessed: boolean;
  /**
   * Where the damaged (or missing) segment N stands: does a segment N+2 or later hold bytes? Is N
   * the last with bytes?
   */
  readonly place: 'two-behind' | 'not-last' | 'last';
  /**
   * Valid frames with higher txids behind the damage: beyond the damaged frame's claimed extent, or
   * only in it.
   */
  readonly laterFrames: 'none' | 'inside-claim' | 'after-claim';
}

export type Verdict = 'corrupt' | 'ambiguous' | 'torn';

interface Row {
  readonly matches: (evidence: DamageEvidence) => boolean;
  readonly verdict: Verdict;
  readonly because: string;
}

const lastOf = (evidence: DamageEvidence) =>
  evidence.place === 'last' && evidence.damage !== 'missing-segment';

/** What an append that a crash cut short can look like when nothing proves more. */
const TEARS: ReadonlySet<Damage> = new Set<Damage>([
  'truncated',
  'crc-mismatch',
  'unfinished-start',
]);

/** Read from the top: the first row that matches decides. The last one matches everything. */
const TABLE: readonly Row[] = [
  {
    matches: ({ position }) => position === 'durable',
    verdict: 'corrupt',
    because: 'the durable mark or a seal proves that these bytes were on stable storage',
  },
  {
    matches: ({ witnessed, place }) => witnessed && place === 'two-behind',
    verdict: 'corrupt',
    because: 'the segment after the next is in use, so this one had been synced',
  },
  {
    matches: ({ witnessed }) => witnessed,
    verdict: 'torn',
    because: 'it lies after the durable mark, and nobody else wrote here',
  },
  {
    matches: (evidence) => !lastOf(evidence),
    verdict: 'corrupt',
    because: 'without a trusted durable mark, only the last segment may be unfinished',
  },
  {
    matches: ({ laterFrames }) => laterFrames === 'after-claim',
    verdict: 'corrupt',
    because: 'valid records follow it',
  },
  {
    matches: ({ laterFrames }) => laterFrames === 'inside-claim',
    verdict: 'ambiguous',
    because:
      'valid records lie inside the damaged one: a torn value that holds frames, or a damaged length that hides records',
  },
  {
    matches: ({ damage }) => TEARS.has(damage),
    verdict: 'torn',
    because: 'it looks like an append that a crash cut short',
  },
  {
    matches: () => true,
    verdict: 'corrupt',
    because: 'no interrupted append leaves such bytes',
  },
];

/** What recovery does about damage. A pure function; the table is the contract. */
export function judgeDamage(evidence: DamageEvidence): {
  readonly verdict: Verdict;
  readonly because: string;
} {
  return TABLE.find(({ matches }) => matches(evidence)) as Row;
}
