import type { ChildProcess } from 'node:child_process';
import { InvariantBroken } from '../promises/invariants.ts';
import type { KillKind, KillPlan } from './kill-plan.ts';
import type { KillHistory, KillStep } from './kill-workload.ts';

/** A kind of store that can be killed. */
export interface KillSubject {
  /** The kinds of kills that it can take part in. */
  readonly kinds: readonly KillKind[];
  /** The compiled child. */
  readonly program: string;
  args(directory: string, round: KillRound, plan: KillPlan): string[];
  steps(round: KillRound): Iterator<KillStep, unknown>;
  /**
   * Opens what a killed process left and checks it, as a writer only when `opens`; returns how long
   * that took. Throws `InvariantBroken`.
   */
  check(directory: string, left: LeftStore, opens: boolean): Promise<number>;
  /** Called while a child holds the store and answers nobody. */
  checkBlocked(directory: string, child: ChildProcess): Promise<void>;
}

export interface KillRound {
  readonly seed: number;
  readonly round: number;
  /** The length of the history at its beginning. */
  readonly length: number;
  /** Takes only the steps of these numbers; then it dies by its own hand. */
  readonly only?: readonly number[];
}

/** What a killed process should have left. */
export interface LeftStore {
  /** All operations that the process began, which may be more than it finished. */
  readonly history: KillHistory;
  /** Operations that it acknowledged. */
  readonly acknowledged: number;
  readonly outputs: readonly LeftOutput[];
}

export interface LeftOutput {
  readonly kind: 'compactTo' | 'export';
  readonly name: string;
  /** The state that it must hold. */
  readonly state: string;
  /** It is there; one that was being made may be absent, but not half done. */
  readonly isComplete: boolean;
}

/** I1 to I3. From here on the history is what the store shows. */
export function adoptState(
  pairs: Iterable<[Uint8Array, Uint8Array]>,
  history: KillHistory,
  acknowledged: number,
): void {
  const kept = history.longestPrefix(history.stateOf(pairs));
  if (kept === undefined)
    throw new InvariantBroken(
      'I1',
      `the state is that of no prefix of ${history.length} operations`,
    );
  if (kept < acknowledged) {
    throw new InvariantBroken(
      'I2',
      `the state is that of ${kept} operations, and ${acknowledged} were acknowledged`,
    );
  }
  if (kept !== history.length) history.rollBack(kept);
}
