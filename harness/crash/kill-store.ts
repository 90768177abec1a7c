import type { Prng } from '../prng.ts';
import { invariantOf, PromiseBroken } from './fault-broken.ts';
import { type KillPlan, planKill } from './kill-plan.ts';
import { type KilledRun, runUntilKilled } from './kill-run.ts';
import type { KillRound, KillSubject, LeftOutput, LeftStore } from './kill-subject.ts';
import { stateOfOutput } from './kill-tidemark.ts';
import { KILL_KEYS, KillHistory, type KillStep, operationsOf } from './kill-workload.ts';

/** One kill, and what was found when the store was opened afterwards. */
export interface Kill {
  readonly plan: KillPlan;
  readonly run: KilledRun;
  /** Of the first opening by a writer; 0 when the next child was the first. */
  readonly openMs: number;
}

/** A kill whose check failed. */
export class KillFailure extends Error {
  readonly round: number;
  readonly plan: KillPlan;

  constructor(round: number, plan: KillPlan, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.round = round;
    this.plan = plan;
  }

  get invariant(): string {
    return invariantOf(this.cause);
  }
}

/** One store that is killed `kills` times. Everything it does follows from `prng` and `seed`. Throws `KillFailure`. */
export async function* killStore(
  subject: KillSubject,
  directory: string,
  seed: number,
  prng: Prng,
  kills: number,
): AsyncGenerator<Kill> {
  const history = new KillHistory();
  for (let round = 0; round < kills; round++) {
    const plan = planKill(prng, subject.kinds);
    const place: KillRound = { seed, round, length: history.length };
    try {
      const args = subject.args(directory, place, plan);
      const run = await runUntilKilled(subject.program, args, plan, (child) =>
        subject.checkBlocked(directory, child),
      );
      const left = follow(history, subject.steps(place), run);
      yield { plan, run, openMs: await subject.check(directory, left, prng) };
    } catch (error) {
      throw new KillFailure(round, plan, error);
    }
  }
}

/** Repeats what the child did, as far as it told and one step further, since it may have died inside that one. */
export function follow(
  history: KillHistory,
  steps: Generator<KillStep, never>,
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
    const step = steps.next().value;
    take(step, true);
    const expected = `${step.kind} ${history.length}`;
    if (line !== expected) throw new PromiseBroken('harness', `the child says ${line}, and not ${expected}`);
  }
  const acknowledged = history.length;
  if (run.opened) take(steps.next().value, false);
  return { history, acknowledged, outputs };
}
