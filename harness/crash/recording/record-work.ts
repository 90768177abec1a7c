import type { OpenStoreUnderTest, StoreUnderTest } from '../../store-under-test.ts';
import { cutSteps, cutValues } from './record-steps.ts';
import type { RecordTask } from './record-store.ts';

/** What is done to a store while it is recorded. `mark` says, in order, how far that has come. */
export async function recordWork(
  open: OpenStoreUnderTest,
  { directory, seed, stepCount, only, shape }: RecordTask,
  mark: (text: string) => void,
): Promise<void> {
  const values = cutValues(seed, shape);
  let doing = 'open';
  try {
    mark('opening');
    let store: StoreUnderTest = await open(directory);
    mark('opened');
    for (const { number, step } of cutSteps(seed, stepCount, shape)) {
      if (only !== undefined && !only.includes(number)) continue;
      doing = `step ${number} (${step.kind})`;
      mark(`begin ${number}`);
      switch (step.kind) {
        case 'write':
          await Promise.all(
            step.writes.map(async ({ key, version }) => {
              if (version === 0) await store.delete(values.keyOf(key));
              else await store.put(values.keyOf(key), values.valueOf(key, version));
            }),
          );
          break;
        case 'sync':
          await store.sync?.();
          break;
        case 'compact':
          await store.compact?.();
          break;
        case 'reopen':
          await store.close();
          store = await open(directory);
      }
      mark(`end ${number}`);
    }
    doing = 'close';
    await store.close();
    mark('closed');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    mark(`failed ${JSON.stringify(`${doing} failed: ${message}`)}`);
  }
}
