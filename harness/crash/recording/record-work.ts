import type { OpenStoreUnderTest, StoreUnderTest } from '../../store-under-test.ts';
import type { WorkStep } from '../../workloads/work-steps.ts';
import { cutSteps, cutValues } from './record-steps.ts';
import type { RecordTask } from './record-store.ts';

/** What is done to a store while it is recorded. `mark` says, in order, how far that has come. */
export async function recordWork(
  open: OpenStoreUnderTest,
  { directory, seed, stepCount, only, shape, goesOn = false }: RecordTask,
  mark: (text: string) => void,
): Promise<void> {
  const values = cutValues(seed, shape);
  let store: StoreUnderTest | undefined;
  const take = async (step: WorkStep, opened: StoreUnderTest): Promise<void> => {
    switch (step.kind) {
      case 'write':
        await Promise.all(
          step.writes.map(async ({ key, version }) => {
            if (version === 0) await opened.delete(values.keyOf(key));
            else await opened.put(values.keyOf(key), values.valueOf(key, version));
          }),
        );
        break;
      case 'sync':
        await opened.sync?.();
        break;
      case 'compact':
        await opened.compact?.();
        break;
      case 'reopen':
        store = undefined;
        await opened.close();
        store = await open(directory);
    }
  };
  let doing = 'open';
  try {
    mark('opening');
    store = await open(directory);
    mark('opened');
    for (const { number, step } of cutSteps(seed, stepCount, shape)) {
      if (only !== undefined && !only.includes(number)) continue;
      doing = `step ${number} (${step.kind})`;
      mark(`begin ${number}`);
      try {
        await take(step, store);
        mark(`end ${number}`);
      } catch (error) {
        if (!goesOn) throw error;
        mark(`refused ${number}`);
        if (store === undefined) return;
      }
    }
    doing = 'close';
    await store.close();
    mark('closed');
  } catch (error) {
    if (goesOn) return;
    const message = error instanceof Error ? error.message : String(error);
    mark(`failed ${JSON.stringify(`${doing} failed: ${message}`)}`);
  }
}
