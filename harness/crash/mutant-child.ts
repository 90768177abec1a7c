import { type CheckResult, MUTANT_CHECKS } from './mutant-checks.ts';
import type { MutantCheckName } from './mutants.ts';

/**
 * Runs in a copy of the compiled files into which a mistake was planted:
 * `mutant-child.js SEED SECONDS CHECK...` runs the checks until one finds something, and sends what it found.
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
const endMs = performance.now() + Number(seconds) * 1000;

let verdict: MutantVerdict | undefined;
for (const check of checks as MutantCheckName[]) {
  verdict = { check, ...(await MUTANT_CHECKS[check]({ seed: Number(seed), endMs })) };
  if (verdict.caught !== undefined) break;
}
process.send?.(verdict, undefined, {}, () => process.exit());
