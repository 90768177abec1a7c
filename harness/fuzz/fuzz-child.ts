import { withAllocationWatch } from './allocation-watch.ts';
import type { FromFuzzChild, FuzzFailure, ToFuzzChild } from './fuzz-messages.ts';
import { type FuzzInput, type FuzzTarget, Mishandled } from './fuzz-target.ts';
import { seedStores } from './seed-stores.ts';
import { makeInput, TARGETS } from './targets.ts';

/**
 * The process checks its own size as seldom as this, since asking takes longer than most inputs.
 */
const INPUTS_BETWEEN_LOOKS = 64;
const MOST_RESIDENT_BYTES = 1024 * 1024 * 1024;

const seeds = await seedStores();

process.on('message', async (task: ToFuzzChild) => {
  if (task.type === 'end') return process.disconnect();
  if (task.type === 'input') {
    const target = TARGETS.find(({ name }) => name === task.target) as FuzzTarget;
    const failure = await failureOf(target, task.input, undefined);
    return answer({ type: 'checked', counts: {}, failure });
  }
  const counts: Record<string, number> = {};
  for (let index = task.from; index < task.to; index++) {
    if (task.tellsEach) await answer({ type: 'at', index });
    const { target, input } = makeInput(task.seed, index, seeds, task.only);
    const failure = await failureOf(target, input, index);
    if (failure !== undefined) return answer({ type: 'checked', counts, failure });
    counts[target.name] = (counts[target.name] ?? 0) + 1;
  }
  answer({ type: 'checked', counts, failure: undefined });
});
process.on('disconnect', () => process.exit());

async function failureOf(
  target: FuzzTarget,
  input: FuzzInput,
  index: number | undefined,
): Promise<FuzzFailure | undefined> {
  const inputBytes = [...input.values()].reduce((sum, { length }) => sum + length, 0);
  try {
    await withAllocationWatch(inputBytes, () => target.check(input));
    if (
      (index ?? 0) % INPUTS_BETWEEN_LOOKS === 0 &&
      process.memoryUsage.rss() > MOST_RESIDENT_BYTES
    )
      throw new Mishandled('the process has grown beyond a gigabyte');
    return undefined;
  } catch (error) {
    const message = error instanceof Mishandled ? error.message : describe(error);
    return { index, target: target.name, message, input };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack}${error.cause === undefined ? '' : `\ncaused by ${describe(error.cause)}`}`;
}

/** Resolves when the message is in the pipe, so that a hang comes after it. */
function answer(message: FromFuzzChild): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
