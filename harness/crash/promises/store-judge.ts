import { ABSENT, EMPTY, type Outcome } from '../../workloads/hostile-values.ts';
import { PossibleState } from '../../workloads/possible-state.ts';
import type { WorkHistory, WriteGroup } from '../../workloads/work-history.ts';
import type { StorePromise } from './store-promises.ts';

/** What is wrong with a state, in words. */
export interface Verdict {
  readonly promise: StorePromise;
  readonly message: string;
}

/** How a message calls a key. */
export type KeyName = (key: number) => string;

/**
 * Holds what a store shows after a crash against its history: every group before `required` must
 * be there. `per-key`: each key holds something that it held at some time since. `prefix`: all keys
 * hold what they held at one and the same time. Undefined when nothing is wrong.
 */
export function judgeState(
  { before, groups }: WorkHistory,
  required: number,
  observed: ReadonlyMap<number, Outcome>,
  kind: 'prefix' | 'per-key',
  nameOf: KeyName = (key) => `key ${key}`,
): Verdict | undefined {
  const state = new PossibleState();
  for (const [key, outcome] of before) state.wrote(key, outcome);
  for (const group of groups.slice(0, required)) apply(state, group);
  return (
    judgeEachKey(state, groups, required, observed, nameOf) ??
    (kind === 'prefix' ? judgePrefix(state, groups, required, observed, nameOf) : undefined)
  );
}

function apply(state: PossibleState, { writes, end }: WriteGroup): void {
  for (const { key, outcome } of writes) {
    if (end === 'done') state.wrote(key, outcome);
    else state.mayHaveWritten(key, outcome);
  }
}

function judgeEachKey(
  state: PossibleState,
  groups: readonly WriteGroup[],
  required: number,
  observed: ReadonlyMap<number, Outcome>,
  nameOf: KeyName,
): Verdict | undefined {
  const later = new Map<number, Set<Outcome>>();
  const first = Math.min(
    ...groups.flatMap(({ writes }) =>
      writes.flatMap(({ outcome }) => (outcome > ABSENT ? [outcome] : [])),
    ),
  );
  for (const { writes } of groups.slice(required)) {
    for (const { key, outcome } of writes)
      later.set(key, (later.get(key) ?? new Set()).add(outcome));
  }
  for (const key of new Set([...observed.keys(), ...state.keys()])) {
    const outcome = observed.get(key) ?? ABSENT;
    if (state.allows(key, outcome) || later.get(key)?.has(outcome)) continue;
    const writer = groups.findLast(
      ({ writes }, index) => index < required && writesTo(writes, key),
    );
    // A version below those of this history was put in an earlier life of the store.
    const isKnown =
      (outcome !== EMPTY && outcome < first) ||
      groups.some(({ writes }) =>
        writes.some((write) => write.key === key && write.outcome === outcome),
      );
    const holds = `${nameOf(key)} ${describeOutcome(outcome)}`;
    if (outcome !== ABSENT && !isKnown && writer === undefined)
      return { promise: 'invented', message: `${holds}, which was never put since` };
    const told =
      writer === undefined
        ? `it held ${state.of(key).map(describeHeld).join(' or ')} before`
        : `step ${writer.step}, which must have survived, left ${state.of(key).map(describeHeld).join(' or ')}`;
    return {
      promise: outcome !== ABSENT && !isKnown ? 'invented' : 'durable',
      message: `${holds}, and ${told}`,
    };
  }
  return undefined;
}

/** `state` is that of the required groups. */
function judgePrefix(
  state: PossibleState,
  groups: readonly WriteGroup[],
  required: number,
  observed: ReadonlyMap<number, Outcome>,
  nameOf: KeyName,
): Verdict | undefined {
  const shows = (key: number) => observed.get(key) ?? ABSENT;
  const differs = new Set<number>();
  for (const key of new Set([...observed.keys(), ...state.keys()]))
    if (!state.allows(key, shows(key))) differs.add(key);
  let nearest:
    | { readonly groups: number; readonly key: number; readonly count: number }
    | undefined;
  for (let cut = required; ; cut++) {
    const group = groups[cut];
    // Of the group in which the history ends, any part may have happened.
    const within = [...differs].filter(
      (key) => !group?.writes.some((write) => write.key === key && write.outcome === shows(key)),
    );
    const [key] = within;
    if (key === undefined) return undefined;
    if (nearest === undefined || within.length < nearest.count)
      nearest = { groups: cut, key, count: within.length };
    if (group === undefined) break;
    apply(state, group);
    for (const { key } of group.writes) {
      if (state.allows(key, shows(key))) differs.delete(key);
      else differs.add(key);
    }
  }
  const { key, count } = nearest;
  const at = groups[nearest.groups]?.step;
  const where = at === undefined ? 'all steps' : `the steps before ${at}`;
  const more = count > 1 ? `, and ${count - 1} more keys differ` : '';
  const message = `the state is that of no prefix of the operations; nearest is that of ${where}, and there ${nameOf(key)} ${describeOutcome(shows(key))}${more}`;
  return { promise: 'prefix', message };
}

function writesTo(writes: WriteGroup['writes'], key: number): boolean {
  return writes.some((write) => write.key === key);
}

/** A clause that follows the name of a key. */
export function describeOutcome(outcome: Outcome): string {
  return outcome === ABSENT ? 'is absent' : `holds ${describeHeld(outcome)}`;
}

function describeHeld(outcome: Outcome): string {
  if (outcome === ABSENT) return 'nothing';
  return outcome === EMPTY ? 'an empty value' : `version ${outcome}`;
}
