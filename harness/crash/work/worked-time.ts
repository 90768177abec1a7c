/**
 * Milliseconds of processor time that this process has used: on a busy machine the clock goes on
 * while nothing is done.
 */
export function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * The most time by the clock per time of the processor. Work that is timed by the processor ends
 * earlier on a machine that is busier than this.
 */
export const MOST_CLOCK_PER_WORK = 5;
