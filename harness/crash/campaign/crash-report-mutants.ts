import { ExitCode } from '../../exit-code.ts';
import type { Versions } from '../../soak/result/host.ts';
import type { MutantResult } from './mutants-run.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
const MUTANTS_SCHEMA = 1;

export interface MutantsEnd {
  readonly seed: number;
  readonly secondsEach: number;
  readonly command: string;
  readonly versions: Versions;
  readonly durationMs: number;
  readonly interruptedBy: 'SIGINT' | 'SIGTERM' | undefined;
  /** The result of the engine as it is. */
  readonly baseline: MutantResult | undefined;
  readonly results: readonly MutantResult[];
}

export function mutantsJson({ durationMs, ...end }: MutantsEnd): string {
  const summary = {
    schema: MUTANTS_SCHEMA,
    kind: 'tidemark-mutants',
    ...end,
    durationMs: Math.round(durationMs),
  };
  return `${JSON.stringify(summary, undefined, 2)}\n`;
}

/**
 * One that survived, or could not be planted, is a failure; so is an engine that has the faults
 * already.
 */
export function mutantsExitCode({ baseline, results, interruptedBy }: MutantsEnd): ExitCode {
  const failed = results.some(({ fate }) => fate !== 'caught');
  if (failed || (baseline !== undefined && baseline.fate !== 'survived')) return ExitCode.broken;
  if (interruptedBy !== undefined)
    return interruptedBy === 'SIGINT' ? ExitCode.interrupted : ExitCode.terminated;
  return ExitCode.pass;
}

export function describeMutants(end: MutantsEnd): string {
  const { baseline, results, interruptedBy } = end;
  if (baseline !== undefined && baseline.fate !== 'survived') {
    return `BROKEN: the engine as it is breaks ${baseline.invariant} (${baseline.check}, seed ${baseline.seed}): ${baseline.message}\nNo mutant was planted: whatever is found would be found in all of them.`;
  }
  const caught = results.filter(({ fate }) => fate === 'caught').length;
  const others = results
    .filter(({ fate }) => fate !== 'caught')
    .map(
      ({ name, fate, message }) =>
        `  ${fate}: ${name}${message === undefined ? '' : ` (${message})`}`,
    );
  const word = others.length > 0 ? 'BROKEN' : interruptedBy === undefined ? 'PASS' : 'INTERRUPTED';
  return [`${word}: ${caught} of ${results.length} mutants were caught`, ...others].join('\n');
}

export function mutantsMarkdown({ results, seed, secondsEach }: MutantsEnd): string {
  const rows = results.map(({ name, mistake, fate, check, invariant, seed, states, seconds }) => [
    name,
    mistake,
    fate === 'caught' ? `${check}: ${invariant}` : `**${fate}**`,
    seed ?? '',
    states ?? '',
    seconds,
  ]);
  return [
    `Seeds from ${seed}, at most ${secondsEach} s of processor time each.`,
    '',
    '| mutant | mistake | caught by | seed | states | seconds |',
    '|---|---|---|---|---|---|',
    ...rows.map(
      (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`,
    ),
    '',
  ].join('\n');
}
