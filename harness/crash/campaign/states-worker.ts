import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreError } from '../../../src/engine/index.ts';
import { Prng } from '../../prng.ts';
import type { CrashStateCounts, CrashStateOptions } from '../states/crash-states.ts';
import { describeStep, planSteps, type Step } from '../states/crash-steps.ts';
import { checkWorkload, noCounts, type WorkloadFinding } from '../states/workload-check.ts';
import { ON_DISK_ONE_IN, STATES_BUDGET } from '../work/campaign-budget.ts';
import { firstNumbers, shrinkSteps } from '../work/campaign-shrink.ts';
import type {
  FromStatesWorker,
  ReportedFinding,
  StatesAnswer,
  StatesTask,
  ToStatesWorker,
} from './campaign-messages.ts';

/** A process of the campaign: checks one workload after the other. */

const REPORT_INTERVAL_MS = 250;
const SHRINK_MS = 20_000;

let isStopped = false;
let lastReportMs = 0;

// A terminal signals the whole process group; only the campaign decides what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (message: ToStatesWorker) => {
  switch (message.type) {
    case 'check':
      void check(message.task).then((answer) => send({ type: 'checked', answer }));
      break;
    case 'stop':
      isStopped = true;
      break;
    case 'end':
      process.exit();
  }
});

async function check(task: StatesTask): Promise<StatesAnswer> {
  isStopped = false;
  const planned = planSteps(Prng.seeded(task.seed), task.stepCount);
  const numbers = task.onlySteps ?? firstNumbers(planned.length);
  const options: CrashStateOptions = {
    ...STATES_BUDGET,
    seed: task.seed,
    onDisk: { oneIn: ON_DISK_ONE_IN, parent: task.diskDirectory },
    counts: noCounts(),
  };
  const { finding, isComplete } = await checkWorkload(only(planned, numbers), options, () =>
    turn(options.counts),
  );
  return {
    counts: options.counts,
    isComplete,
    finding: finding === undefined ? undefined : await shrink(finding, planned, numbers, options),
  };
}

/** The finding in the fewest steps that break the same invariant. */
async function shrink(
  first: WorkloadFinding,
  planned: readonly Step[],
  numbers: readonly number[],
  options: CrashStateOptions,
): Promise<ReportedFinding> {
  const endMs = performance.now() + SHRINK_MS;
  const hasTime = () => !isStopped && performance.now() < endMs;
  let finding = first;
  const fails = async (indexes: readonly number[]) => {
    const steps = only(
      planned,
      indexes.map((index) => numbers[index] as number),
    );
    const found = await checkWorkload(steps, { ...options, counts: noCounts() }, async () => {
      await turn(options.counts);
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
      return { number, text: describeStep(planned[number] as Step) };
    }),
  };
}

function only(steps: readonly Step[], numbers: readonly number[]): Step[] {
  return numbers.flatMap((number) => steps[number] ?? []);
}

/** Lets a message in, and reports now and then. False when it is to stop. */
async function turn(counts: CrashStateCounts): Promise<boolean> {
  if (performance.now() - lastReportMs > REPORT_INTERVAL_MS) {
    lastReportMs = performance.now();
    send({ type: 'counts', counts });
    await nextTurn();
  }
  return !isStopped;
}

function send(message: FromStatesWorker): void {
  // The campaign may have been killed meanwhile, and an error that nobody takes would be printed.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}
