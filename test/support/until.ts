import { setTimeout as delay } from 'node:timers/promises';

/** Less than a test may take, so that the test says what it waited for. */
const HANG_MS = 240_000;

/** Asks again and again until it holds; the deadline only catches a hang. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + HANG_MS;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`this did not come true: ${holds}`);
    await delay(20);
  }
}
