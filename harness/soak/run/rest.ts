import { setTimeout as delay } from 'node:timers/promises';
import type { StoreUnderTestStats } from '../../store-under-test.ts';
import type { Checkpoint } from './messages.ts';
import type { SoakRunOptions } from './soak-run-options.ts';

/** Together a second, which a real leak costs at every close. */
const RECOUNTS = 10;
const RECOUNT_AFTER_MS = 100;

/**
 * A store may still finish in the background what it has begun: what is open then is not what it
 * holds at rest.
 */
export async function restUntilCounted(
  store: Checkpoint['store'],
  checkpoint: SoakRunOptions['checkpoint'],
  statsOf: () => Promise<StoreUnderTestStats | undefined>,
): Promise<void> {
  for (let recountsLeft = RECOUNTS; ; recountsLeft--) {
    const stats = await statsOf();
    if (await checkpoint({ store, recountsLeft, ...(stats === undefined ? {} : { stats }) }))
      return;
    await delay(RECOUNT_AFTER_MS);
  }
}
