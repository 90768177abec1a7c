import { renameSync, rmSync } from 'node:fs';
import { runScript } from './kill-replay.ts';
import type { ScriptedRound } from './kill-script.ts';
import { shrinkScript } from './kill-shrink.ts';
import { KillFailure } from './kill-store.ts';
import type { KillSubject } from './kill-subject.ts';
import type { KillStep } from './kill-workload.ts';

/**
 * Scripts that are run for one finding: what is left by then is small enough to be read, as a rule.
 */
const MOST_TRIES = 200;
/** However busy the machine is; on a quiet one that many take a minute. */
const SHRINK_MS = 10 * 60_000;

export interface SmallFinding {
  readonly message: string;
  readonly script: readonly ScriptedRound[];
}

/**
 * Makes what broke an invariant small, and leaves the store of the small one in the finding's
 * directory. Undefined when it does not come again: then the directory holds what it held.
 */
export async function shrinkFinding(
  subject: KillSubject,
  { invariant, directory }: { readonly invariant: string; readonly directory: string },
  seed: number,
  script: readonly ScriptedRound[],
  signal: AbortSignal | undefined,
): Promise<SmallFinding | undefined> {
  const endMs = performance.now() + SHRINK_MS;
  const place = `${directory}-smaller`;
  let message = '';
  let tries = 0;
  const fails = async (candidate: readonly ScriptedRound[]) => {
    tries++;
    const failure = await failureOf(subject, place, seed, candidate);
    // Another invariant would be another finding.
    if (failure?.invariant !== invariant) return false;
    message = failure.message;
    return true;
  };
  const hasTime = () => tries < MOST_TRIES && performance.now() < endMs && !signal?.aborted;
  try {
    const small = await shrinkScript(script, subject.kinds.includes('change'), fails, hasTime);
    // Once more, for the store that it leaves.
    if (small === undefined || !(await fails(small))) return undefined;
    rmSync(directory, { recursive: true, force: true });
    renameSync(place, directory);
    return { message, script: small };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function failureOf(
  subject: KillSubject,
  directory: string,
  seed: number,
  script: readonly ScriptedRound[],
): Promise<KillFailure | undefined> {
  try {
    await runScript(subject, directory, seed, script);
    return undefined;
  } catch (error) {
    if (error instanceof KillFailure) return error;
    throw error;
  }
}

/** A script as a person reads it: a line a step, and how each process ended. */
export function describeKillScript(
  subject: KillSubject,
  seed: number,
  script: readonly ScriptedRound[],
): string[] {
  const steps = script.reduce((sum, round) => sum + round.steps.length, 0);
  const lines = [`What is enough (processes: ${script.length}, steps: ${steps}):`];
  for (const { round, steps: only, dieAtChange, blocks, opens } of script) {
    lines.push(`  process of round ${round}`);
    const taken = subject.steps({ seed, round, length: 0, only });
    for (const number of only) {
      const { value, done } = taken.next();
      if (!done) lines.push(`  ${String(number).padStart(5)}  ${describeStep(value)}`);
    }
    const inside = only.length === 0 ? 'its opening' : 'the last step';
    const end = blocks ? 'blocks' : 'is killed';
    lines.push(`         ${end}${dieAtChange > 0 ? ` in change ${dieAtChange} of ${inside}` : ''}`);
    if (opens) lines.push('         the store is opened, written to and closed');
  }
  return lines;
}

function describeStep(step: KillStep): string {
  switch (step.kind) {
    case 'write':
    case 'durable':
      return `${step.kind} ${step.operation.kind} key-${step.operation.key}`;
    case 'batch':
      return `batch ${step.operations.map(({ kind, key }) => `${kind} key-${key}`).join(', ')}`;
    default:
      return step.kind;
  }
}
