import { fork } from 'node:child_process';
import { formatSeconds } from '../../units.ts';
import type { Mutant, MutantCheckName } from '../plants/mutant.ts';
import type { MutantVerdict } from '../plants/mutant-child.ts';
import { MutantCopy } from '../plants/mutant-copy.ts';
import { MOST_CLOCK_PER_WORK } from '../work/worked-time.ts';
import type { Progress } from './campaign.ts';

/** What became of one mutant. */
export interface MutantResult {
  readonly name: string;
  readonly mistake: string;
  readonly fate: 'caught' | 'survived' | 'error';
  /** The check that caught it, or the last one that it survived. */
  readonly check: MutantCheckName | undefined;
  /** Which broke; a child that hung or crashed broke `alive`. */
  readonly invariant: string | undefined;
  readonly message: string | undefined;
  /** The seed of the workload in which it was caught. */
  readonly seed: number | undefined;
  readonly states: number | undefined;
  readonly seconds: number;
}

/**
 * The engine as it is, with the checks of these mutants: whatever they find in it they would find
 * in every one of them.
 */
export function noMutation(mutants: readonly Mutant[]): Mutant {
  return {
    name: 'none',
    mistake: 'the engine as it is, which must survive everything',
    edits: [],
    checks: [...new Set(mutants.flatMap(({ checks }) => checks))],
  };
}

export interface MutantRunOptions {
  readonly seed: number;
  /** Seconds of processor time for each mutant, whatever its checks are. */
  readonly seconds: number;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** A child may finish what it has begun, for so long beyond the time of its mutant. */
const GRACE_MS = 60_000;

/** Runs mutants, several at a time; those that had begun when the signal came are left out. */
export async function runMutants(
  mutants: readonly Mutant[],
  options: MutantRunOptions,
): Promise<MutantResult[]> {
  const results = new Map<string, MutantResult>();
  const waiting = [...mutants];
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      if (options.signal.aborted) return;
      options.progress.update(`${results.size} of ${mutants.length} mutants  now ${mutant.name}`);
      const result = await runMutant(mutant, options);
      if (options.signal.aborted) return;
      results.set(mutant.name, result);
      options.progress.print(describeResult(result));
    }
  };
  await Promise.all(Array.from({ length: options.workers }, work));
  return mutants.flatMap(({ name }) => results.get(name) ?? []);
}

function describeResult({ name, fate, check, invariant, message, seconds }: MutantResult): string {
  const how =
    fate === 'caught'
      ? `${check}: ${invariant}`
      : fate === 'survived'
        ? `survived ${check}`
        : `error: ${message}`;
  return `${name.padEnd(36)} ${how} (${formatSeconds(Math.round(seconds))})`;
}

async function runMutant(mutant: Mutant, options: MutantRunOptions): Promise<MutantResult> {
  const startMs = performance.now();
  const { name, mistake } = mutant;
  const result = (fate: MutantResult['fate'], rest: Partial<MutantResult>): MutantResult => ({
    name,
    mistake,
    fate,
    check: undefined,
    invariant: undefined,
    message: undefined,
    seed: undefined,
    states: undefined,
    seconds: Number(((performance.now() - startMs) / 1000).toFixed(1)),
    ...rest,
  });
  let copy: MutantCopy;
  try {
    copy = new MutantCopy(mutant.edits);
  } catch (error) {
    return result('error', { message: error instanceof Error ? error.message : String(error) });
  }
  try {
    const verdict = await runChild(copy.program, mutant, options);
    const { check, caught, seed, states } = verdict;
    return result(caught === undefined ? 'survived' : 'caught', { check, ...caught, seed, states });
  } finally {
    copy.remove();
  }
}

/**
 * What the checks say, in a process of their own: a mistake may as well keep it from ever ending.
 */
function runChild(
  program: string,
  { checks }: Mutant,
  { seed, seconds, signal }: MutantRunOptions,
): Promise<MutantVerdict> {
  return new Promise((resolve) => {
    const child = fork(program, [String(seed), String(seconds), ...checks], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let verdict: MutantVerdict | undefined;
    let errors = '';
    let isLate = false;
    const kill = () => child.kill('SIGKILL');
    const late = setTimeout(
      () => {
        isLate = true;
        kill();
      },
      seconds * 1000 * MOST_CLOCK_PER_WORK + GRACE_MS,
    );
    signal.addEventListener('abort', kill);
    child.on('message', (message: MutantVerdict) => {
      verdict = message;
    });
    child.stderr?.on('data', (chunk) => {
      errors = (errors + chunk).slice(-2000);
    });
    child.once('close', () => {
      clearTimeout(late);
      signal.removeEventListener('abort', kill);
      const message = isLate ? 'it never came to an end' : errors.trim();
      resolve(
        verdict ?? { check: checks[0] as MutantCheckName, caught: { invariant: 'alive', message } },
      );
    });
  });
}
