import { createHash } from 'node:crypto';
import { StoreError } from '../../../src/engine/index.ts';
import { withSeededIdentities } from '../../campaign/seeded-identities.ts';
import { Prng } from '../../prng.ts';
import type { CrashStateCounts, CrashStateOptions } from '../states/crash-states.ts';
import { describeStep, planSteps, type Step } from '../states/crash-steps.ts';
import { checkWorkload, noCounts, type WorkloadFinding } from '../states/workload-check.ts';
import { ON_DISK_ONE_IN, STATES_BUDGET } from '../work/campaign-budget.ts';
import { firstNumbers, shrinkSteps } from '../work/campaign-shrink.ts';
import type { ReportedFinding, StatesAnswer, StatesTask } from './campaign-messages.ts';

const SHRINK_MS = 20_000;

/** Is asked now and then, with what was counted up to now: false when it is to stop. */
export type StatesTurn = (counts: CrashStateCounts) => Promise<boolean>;

/**
 * One workload and its crash states, with identities from its seed: the same in every process, to
 * the digest of all its images.
 */
export async function checkStates(task: StatesTask, turn: StatesTurn): Promise<StatesAnswer> {
  return withSeededIdentities(task.seed, () => check(task, turn));
}

async function check(task: StatesTask, turn: StatesTurn): Promise<StatesAnswer> {
  const planned = planSteps(Prng.seeded(task.seed), task.stepCount);
  const numbers = task.onlySteps ?? firstNumbers(planned.length);
  const images = createHash('sha256');
  const options: CrashStateOptions = {
    ...STATES_BUDGET,
    seed: task.seed,
    onDisk: { oneIn: ON_DISK_ONE_IN, parent: task.diskDirectory },
    counts: noCounts(),
  };
  const { finding, isComplete } = await checkWorkload(
    only(planned, numbers),
    { ...options, seen: (digest) => images.update(digest) },
    () => turn(options.counts),
  );
  return {
    counts: { ...options.counts },
    images: images.digest('hex'),
    isComplete,
    finding:
      finding === undefined ? undefined : await shrink(finding, planned, numbers, options, turn),
  };
}

/** The finding in the fewest steps that break the same invariant. */
async function shrink(
  first: WorkloadFinding,
  planned: readonly Step[],
  numbers: readonly number[],
  options: CrashStateOptions,
  turn: StatesTurn,
): Promise<ReportedFinding> {
  const endMs = performance.now() + SHRINK_MS;
  let isStopped = false;
  const hasTime = () => !isStopped && performance.now() < endMs;
  let finding = first;
  const fails = async (indexes: readonly number[]) => {
    const steps = only(
      planned,
      indexes.map((index) => numbers[index] as number),
    );
    const found = await checkWorkload(steps, { ...options, counts: noCounts() }, async () => {
      isStopped ||= !(await turn(options.counts));
      return hasTime();
    });
    if (found.finding?.broken.invariant !== first.broken.invariant) return false;
    finding = found.finding;
    return true;
  };
  const indexes = await shrinkSteps(numbers.length, fails, hasTime);
  const { broken, at, depth, image } = finding;
  const { cause } = broken;
  return {
    invariant: broken.invariant,
    message: broken.message,
    stack: cause instanceof Error && !(cause instanceof StoreError) ? cause.stack : undefined,
    at,
    depth,
    image,
    stepCount: numbers.length,
    kept: indexes.map((index) => {
      const number = numbers[index] as number;
      const step = planned[number] as Step;
      return { number, kind: kindOf(step), text: describeStep(step) };
    }),
  };
}

function only(steps: readonly Step[], numbers: readonly number[]): Step[] {
  return numbers.flatMap((number) => steps[number] ?? []);
}

/** What a step does, without what it does it to. */
function kindOf(step: Step): string {
  return step.kind === 'write' ? step.operation.kind : step.kind;
}
