import { setTimeout as delay } from 'node:timers/promises';

/** The longest that a timer takes. */
const MOST_MS = 2 ** 31 - 1;

/**
 * Waits so long, or until one of the signals is aborted, and returns either way: whoever waited
 * then looks whether it is to go on.
 */
export async function pause(
  durationMs: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<void> {
  const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
  await delay(Math.min(durationMs, MOST_MS), undefined, { signal }).catch(() => {});
}
