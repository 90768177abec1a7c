import { existsSync, readdirSync } from 'node:fs';
import type { Prng } from '../../prng.ts';
import { InvariantBroken, invariantOf } from '../promises/invariants.ts';
import { type KillPlan, planKill } from './kill-plan.ts';
import { type KilledRun, runUntilKilled } from './kill-run.ts';
import { type ScriptedRound, scriptOf } from './kill-script.ts';
import type { KillRound, KillSubject, LeftOutput, LeftStore } from './kill-subject.ts';
import { stateOfOutput } from './kill-tidemark.ts';
import { KILL_KEYS, KillHistory, type KillStep, operationsOf } from './kill-workload.ts';

/** One kill, and what was found when the store was opened afterwards. */
export interface Kill {
  readonly plan: KillPlan;
  readonly run: KilledRun;
  /** How long the first opening by a writer took; 0 when the next child was the first. */
  readonly openMs: number;
  /** It left a merge that had begun and not ended. */
  readonly inMerge: boolean;
}

/** A kill whose check failed. */
export class KillFailure extends Error {
  readonly round: number;
  readonly plan: KillPlan;
  /** What the process did, as far as it is known. */
  readonly run: KilledRun;

  constructor(round: number, plan: KillPlan, run: KilledRun, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.round = round;
    this.plan = plan;
    this.run = run;
  }

  get invariant(): string {
    return invariantOf(this.cause);
  }
}

/**
 * One store that is killed `kills` times. Everything it does follows from `prng` and `seed`. What
 * was done, exactly, is added to `script`. Throws `KillFailure`.
 */
export async function* killStore(
  subject: KillSubject,
  directory: string,
  seed: number,
  prng: Prng,
  kills: number,
  script: ScriptedRound[] = [],
): AsyncGenerator<Kill> {
  const history = new KillHistory();
  for (let round = 0; round < kills; round++) {
    const plan = planKill(prng, subject.kinds);
    // Half the time the next child finds what this one left.
    const opens = prng.below(2) === 1;
    const place = { seed, round, length: history.length };
    try {
      const kill = await killRound(subject, directory, history, place, plan, opens);
      script.push(scriptOf(round, plan, kill.run, opens));
      yield kill;
    } catch (error) {
      if (error instanceof KillFailure) script.push(scriptOf(round, plan, error.run, opens));
      throw error;
    }
  }
}

/** One life of a store, its end, and what is found afterwards. Throws `KillFailure`. */
export async function killRound(
  subject: KillSubject,
  directory: string,
  history: KillHistory,
  place: KillRound,
  plan: KillPlan,
  opens: boolean,
): Promise<Kill> {
  const args = subject.args(directory, place, plan);
  const run = await runUntilKilled(subject.program, args, plan, (child) =>
    subject.checkBlocked(directory, child),
  );
  try {
    if (run.trouble !== undefined) throw run.trouble;
    const left = follow(history, subject.steps(place), run);
    // What an opening finds it clears away.
    const inMerge = run.opened && leftInMerge(directory);
    return { plan, run, openMs: await subject.check(directory, left, opens), inMerge };
  } catch (error) {
    throw new KillFailure(place.round, plan, run, error);
  }
}

/**
 * Its files have these names from the first to the last but one of its steps; in the last there are
 * none any more.
 */
function leftInMerge(directory: string): boolean {
  return (
    existsSync(directory) &&
    readdirSync(directory).some((name) => /\.merge(?:-tmp|\.tmp)?$/.test(name))
  );
}

/**
 * Repeats what the child did, as far as it told and one step further, since it may have died inside
 * that one.
 */
export function follow(
  history: KillHistory,
  steps: Iterator<KillStep, unknown>,
  run: Pick<KilledRun, 'opened' | 'acknowledgements'>,
): LeftStore {
  const outputs: LeftOutput[] = [];
  const take = (step: KillStep, isComplete: boolean) => {
    for (const operation of operationsOf(step)) history.append(operation);
    if (!('output' in step)) return;
    outputs.push({
      kind: step.kind,
      name: step.output,
      state: stateOfOutput(history, KILL_KEYS),
      isComplete,
    });
  };
  for (const line of run.acknowledgements) {
    const { value: step, done } = steps.next();
    if (done) throw new InvariantBroken('harness', `the child says ${line}, and had no more steps`);
    take(step, true);
    const expected = `${step.kind} ${history.length}`;
    if (line !== expected)
      throw new InvariantBroken('harness', `the child says ${line}, and not ${expected}`);
  }
  const acknowledged = history.length;
  const next = run.opened ? steps.next() : undefined;
  if (next !== undefined && !next.done) take(next.value, false);
  return { history, acknowledged, outputs };
}
