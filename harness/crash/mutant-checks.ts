import { committedCorpus } from '../corpus/corpus.ts';
import { verifyCorpus } from '../corpus/verifier.ts';
import { Prng } from '../prng.ts';
import { STATES_BUDGET, STEPS } from './campaign-budget.ts';
import { planSteps } from './crash-steps.ts';
import { brokenBy } from './invariants.ts';
import { CORNERS } from './mutant-corners.ts';
import type { MutantCheckName } from './mutants.ts';
import { checkWorkload, noCounts } from './workload-check.ts';

/** What a check saw. */
export interface CheckResult {
  /** Undefined when nothing was wrong. */
  readonly caught: { readonly invariant: string; readonly message: string } | undefined;
  /** Of the workload that was checked last. */
  readonly seed?: number;
  readonly states?: number;
}

export interface CheckOptions {
  readonly seed: number;
  /** Monotonic. Checks that have no end of their own stop then. */
  readonly endMs: number;
}

type MutantCheck = (options: CheckOptions) => Promise<CheckResult>;

export const MUTANT_CHECKS: Readonly<Record<MutantCheckName, MutantCheck>> = {
  states: checkStates,
  corpus: async () => {
    const [problem] = await verifyCorpus(committedCorpus());
    return { caught: problem === undefined ? undefined : { invariant: 'corpus', message: problem } };
  },
  corners: checkCorners,
};

async function checkStates({ seed, endMs }: CheckOptions): Promise<CheckResult> {
  const counts = noCounts();
  const hasTime = () => performance.now() < endMs;
  for (let at = seed; ; at = (at + 1) % 2 ** 32) {
    const { finding } = await checkWorkload(
      planSteps(Prng.seeded(at), STEPS),
      { ...STATES_BUDGET, seed: at, onDisk: undefined, counts },
      async () => hasTime(),
    );
    if (finding !== undefined) {
      const { invariant, message } = finding.broken;
      return { caught: { invariant, message }, seed: at, states: counts.states };
    }
    if (!hasTime()) return { caught: undefined, seed: at, states: counts.states };
  }
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
