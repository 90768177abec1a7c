import type { Violation, ViolationKind } from '../../store-check.ts';
import { isNoRoom } from '../run/run-outcome.ts';
import type { Observation } from './observation.ts';
import { isCrash } from './verdict.ts';

export interface Invariant {
  readonly name: InvariantName;
  /** What should hold, in words: `a key that was put is there`. */
  readonly meaning: string;
  readonly holds: boolean;
  /** What was seen instead; empty when it holds. */
  readonly violations: readonly string[];
}

export type InvariantName =
  | 'nothing_lost'
  | 'nothing_wrong'
  | 'nothing_resurrected'
  | 'nothing_invented'
  | 'store_did_not_fail'
  | 'process_did_not_crash'
  | 'spans_add_up';

const OF_KEYS: readonly (readonly [InvariantName, ViolationKind, meaning: string])[] = [
  ['nothing_lost', 'lost', 'a key that was put is there'],
  ['nothing_wrong', 'wrong', 'a key holds the bytes that were put last'],
  ['nothing_resurrected', 'resurrected', 'a key that was deleted is not there'],
  ['nothing_invented', 'invented', 'no key is there that was never put'],
];

/** What must hold of any store, and what was seen. */
export function describeInvariants(observation: Observation): Invariant[] {
  const { outcome, telemetry } = observation;
  const violations = outcome?.kind === 'violated' ? outcome.violations : [];
  const failure =
    outcome?.kind === 'failed' && !isNoRoom(outcome)
      ? [`${outcome.doing}: ${outcome.message}`]
      : [];
  return [
    ...OF_KEYS.map(([name, kind, meaning]) => invariant(name, meaning, ofKind(violations, kind))),
    invariant('store_did_not_fail', 'no operation of the store throws', failure),
    invariant(
      'process_did_not_crash',
      'the store process ends when it is told to',
      crashes(observation),
    ),
    ...(telemetry?.spans === undefined
      ? []
      : [
          invariant(
            'spans_add_up',
            'spans emitted and suppressed are the preads',
            telemetry.spans.addsUp ? [] : ['they do not add up'],
          ),
        ]),
  ];
}

function crashes({ outcome, processEnd, killed }: Observation): string[] {
  if (outcome !== undefined || killed) return [];
  const { code, signal } = processEnd;
  if (signal === null) return [`it ended with exit status ${code}`];
  return isCrash(signal) ? [`it ended with ${signal}`] : [];
}

function ofKind(violations: readonly Violation[], kind: ViolationKind): string[] {
  return violations
    .filter((violation) => violation.kind === kind)
    .map(({ key, detail }) => `${key} ${detail}`);
}

function invariant(name: InvariantName, meaning: string, violations: readonly string[]): Invariant {
  return { name, meaning, holds: violations.length === 0, violations };
}
