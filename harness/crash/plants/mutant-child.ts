import { MOST_CLOCK_PER_WORK, workedMs } from '../work/worked-time.ts';
import type { MutantCheckName } from './mutant.ts';
import { type CheckResult, MUTANT_CHECKS } from './mutant-checks.ts';

/**
 * Runs in a copy of the compiled files into which a mistake was planted: `mutant-child.js SEED
 * SECONDS CHECK...` runs the checks until one finds something, for so many seconds of processor
 * time, and sends what it found.
 */

export interface MutantVerdict extends CheckResult {
  /** The last one that was run. */
  readonly check: MutantCheckName;
}

// A terminal signals the whole process group; only the parent decides what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());

const [seed, seconds, ...checks] = process.argv.slice(2);
const budgetMs = Number(seconds) * 1000;
const end = {
  endWorkedMs: workedMs() + budgetMs,
  endMs: performance.now() + budgetMs * MOST_CLOCK_PER_WORK,
};

let verdict: MutantVerdict | undefined;
for (const check of checks as MutantCheckName[]) {
  verdict = { check, ...(await MUTANT_CHECKS[check]({ seed: Number(seed), ...end })) };
  if (verdict.caught !== undefined) break;
}
process.send?.(verdict, undefined, {}, () => process.exit());
