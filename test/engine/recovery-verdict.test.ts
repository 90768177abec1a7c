import { describe, expect, test } from 'vitest';
import {
  DAMAGES,
  type Damage,
  type DamageEvidence,
  judgeDamage,
  type Verdict,
} from '../../src/engine/recovery/recovery-verdict.ts';

/** The rows of the decision table, in order, by what they say. */
const ROWS = [
  'before D',
  'witnessed, two segments behind hold bytes',
  'witnessed, elsewhere',
  'not witnessed, a missing id or not the last segment',
  'not witnessed, last, frames behind the claimed extent',
  'not witnessed, last, frames inside the claimed extent',
  'not witnessed, last, looks like an interrupted append',
  'not witnessed, last, anything else',
] as const;
type Row = (typeof ROWS)[number];

/** The contract once more, written from its prose: which row decides, and how. */
function contract(evidence: DamageEvidence): { row: Row; verdict: Verdict } {
  switch (evidence.position) {
    case 'durable':
      return { row: 'before D', verdict: 'corrupt' };
    case 'not-durable':
      return evidence.witnessed ? afterTrustedMark(evidence) : withoutTrustedMark(evidence);
  }
}

function afterTrustedMark({ place }: DamageEvidence): { row: Row; verdict: Verdict } {
  switch (place) {
    case 'two-behind':
      return { row: 'witnessed, two segments behind hold bytes', verdict: 'corrupt' };
    case 'not-last':
    case 'last':
      return { row: 'witnessed, elsewhere', verdict: 'torn' };
  }
}

function withoutTrustedMark({ damage, place, laterFrames }: DamageEvidence): {
  row: Row;
  verdict: Verdict;
} {
  if (place !== 'last' || damage === 'missing-segment') {
    return { row: 'not witnessed, a missing id or not the last segment', verdict: 'corrupt' };
  }
  switch (laterFrames) {
    case 'after-claim':
      return { row: 'not witnessed, last, frames behind the claimed extent', verdict: 'corrupt' };
    case 'inside-claim':
      return { row: 'not witnessed, last, frames inside the claimed extent', verdict: 'ambiguous' };
    case 'none':
      break;
  }
  switch (damage) {
    case 'truncated':
    case 'crc-mismatch':
    case 'unfinished-start':
      return { row: 'not witnessed, last, looks like an interrupted append', verdict: 'torn' };
    case 'bad-magic':
    case 'unknown-version':
    case 'unknown-type':
    case 'nonzero-flags':
    case 'txid-out-of-range':
    case 'key-too-long':
    case 'payload-too-long':
    case 'txid-not-increasing':
    case 'txid-not-next':
    case 'ends-before-mark':
    case 'contradicts-mark':
    case 'ends-before-seal':
    case 'contradicts-seal':
      return { row: 'not witnessed, last, anything else', verdict: 'corrupt' };
  }
}

function* everyEvidence(): Generator<DamageEvidence> {
  for (const damage of DAMAGES) {
    for (const position of ['durable', 'not-durable'] as const) {
      for (const witnessed of [true, false]) {
        for (const place of ['two-behind', 'not-last', 'last'] as const) {
          for (const laterFrames of ['none', 'inside-claim', 'after-claim'] as const) {
            yield { damage, position, witnessed, place, laterFrames };
          }
        }
      }
    }
  }
}

describe('the verdict table', () => {
  test('decides every combination of its inputs as the contract does', () => {
    const evidences = [...everyEvidence()];
    expect(evidences).toHaveLength(DAMAGES.length * 2 * 2 * 3 * 3);
    for (const evidence of evidences) {
      expect(judgeDamage(evidence).verdict, JSON.stringify(evidence)).toBe(
        contract(evidence).verdict,
      );
    }
  });

  test('reaches every row of the table, and gives each a reason of its own', () => {
    const reasonsOf = new Map<Row, Set<string>>();
    for (const evidence of everyEvidence()) {
      const { row } = contract(evidence);
      reasonsOf.set(row, (reasonsOf.get(row) ?? new Set()).add(judgeDamage(evidence).because));
    }
    expect([...reasonsOf.keys()].sort()).toEqual([...ROWS].sort());
    const reasons = ROWS.map((row) => [...(reasonsOf.get(row) as Set<string>)]);
    for (const [index, row] of ROWS.entries()) expect(reasons[index], row).toHaveLength(1);
    expect(new Set(reasons.flat()).size).toBe(ROWS.length);
  });

  test('lists every kind of damage', () => {
    const everyDamage: Record<Damage, true> = {
      truncated: true,
      'bad-magic': true,
      'unknown-version': true,
      'unknown-type': true,
      'nonzero-flags': true,
      'txid-out-of-range': true,
      'key-too-long': true,
      'payload-too-long': true,
      'crc-mismatch': true,
      'unfinished-start': true,
      'txid-not-increasing': true,
      'txid-not-next': true,
      'missing-segment': true,
      'ends-before-mark': true,
      'contradicts-mark': true,
      'ends-before-seal': true,
      'contradicts-seal': true,
    };
    expect([...DAMAGES].sort()).toEqual(Object.keys(everyDamage).sort());
  });
});
