/**
 * Milliseconds of processor time that this process has used: on a busy machine the clock goes on
 * while nothing is done.
 */
export function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** On a machine that is busier than this, whoever works for a time by the processor ends before. */
export const MOST_CLOCK_PER_WORK = 5;
