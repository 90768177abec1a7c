import { committedCorpus } from '../../corpus/corpus.ts';
import { verifyCorpus } from '../../corpus/verifier.ts';
import { Prng } from '../../prng.ts';
import { brokenBy, type InvariantBroken } from '../promises/invariants.ts';
import type { CrashStateOptions } from '../states/crash-states.ts';
import { planSteps, type Step } from '../states/crash-steps.ts';
import { recordWorkload } from '../states/crash-workload.ts';
import { checkWorkload, noCounts } from '../states/workload-check.ts';
import { runHistory } from '../upkeep/upkeep-history.ts';
import { planUpkeep } from '../upkeep/upkeep-steps.ts';
import { STATES_BUDGET, STEPS } from '../work/campaign-budget.ts';
import { workedMs } from '../work/worked-time.ts';
import type { MutantCheckName } from './mutant.ts';
import { CORNERS } from './mutant-corners.ts';

/** What a check saw. */
export interface CheckResult {
  /** Undefined when nothing was wrong. */
  readonly caught: { readonly invariant: string; readonly message: string } | undefined;
  /** The seed of the workload in which it was caught. */
  readonly seed?: number;
  readonly states?: number;
}

export interface CheckOptions {
  readonly seed: number;
  /** Checks that have no end of their own stop when the process has worked for so long. */
  readonly endWorkedMs: number;
  /** Or at that time of the monotonic clock, however busy the machine is. */
  readonly endMs: number;
}

type MutantCheck = (options: CheckOptions) => Promise<CheckResult>;

export const MUTANT_CHECKS: Readonly<Record<MutantCheckName, MutantCheck>> = {
  states: checkStates,
  corpus: async () => {
    const [problem] = await verifyCorpus(committedCorpus());
    return {
      caught: problem === undefined ? undefined : { invariant: 'corpus', message: problem },
    };
  },
  corners: checkCorners,
  upkeep: checkUpkeep,
};

/**
 * Workloads that are only run at first: much shows without a power cut, and running one takes some
 * milliseconds.
 */
const ONLY_RUN = 60;

/** Many workloads are seen in the time in which one is looked at closely. */
const GLANCE: Omit<CrashStateOptions, 'seed' | 'onDisk' | 'counts'> = {
  budget: { subsets: 8, tearsAWrite: 1 },
  nestOneIn: { cut: 200, whole: 800 },
  otherwiseOneIn: 50,
};

/**
 * The workloads from the seed on: run, then for half of the time glanced at, then looked at as a
 * campaign does.
 */
async function checkStates({ seed, endWorkedMs, endMs }: CheckOptions): Promise<CheckResult> {
  const counts = noCounts();
  const caught = (at: number, { invariant, message }: InvariantBroken): CheckResult => ({
    caught: { invariant, message },
    seed: at,
    states: counts.states,
  });
  for (const at of seedsFrom(seed, ONLY_RUN)) {
    const { broken } = await recordWorkload(stepsOf(at));
    if (broken !== undefined) return caught(at, broken.by);
  }
  const halfMs = (workedMs() + endWorkedMs) / 2;
  for (const [closeness, untilMs] of [
    [GLANCE, halfMs],
    [STATES_BUDGET, endWorkedMs],
  ] as const) {
    const hasTime = () => workedMs() < untilMs && performance.now() < endMs;
    for (const at of seedsFrom(seed, Number.POSITIVE_INFINITY)) {
      if (!hasTime()) break;
      const options = { ...closeness, seed: at, onDisk: undefined, counts };
      const { finding } = await checkWorkload(stepsOf(at), options, async () => hasTime());
      if (finding !== undefined) return caught(at, finding.broken);
    }
  }
  return { caught: undefined, states: counts.states };
}

function* seedsFrom(seed: number, count: number): Generator<number> {
  for (let index = 0; index < count; index++) yield (seed + index) % 2 ** 32;
}

function stepsOf(seed: number): Step[] {
  return planSteps(Prng.seeded(seed), STEPS);
}

/** Histories from the seed on, until the time is over. */
async function checkUpkeep({ seed, endWorkedMs, endMs }: CheckOptions): Promise<CheckResult> {
  for (const at of seedsFrom(seed, Number.POSITIVE_INFINITY)) {
    if (workedMs() >= endWorkedMs || performance.now() >= endMs) break;
    try {
      await runHistory(at, planUpkeep(Prng.seeded(at)));
    } catch (error) {
      const { invariant, message } = brokenBy(error);
      return { caught: { invariant, message }, seed: at };
    }
  }
  return { caught: undefined };
}

async function checkCorners(): Promise<CheckResult> {
  for (const corner of CORNERS) {
    try {
      await corner();
    } catch (error) {
      const { invariant, message } = brokenBy(error);
      return { caught: { invariant, message } };
    }
  }
  return { caught: undefined };
}
