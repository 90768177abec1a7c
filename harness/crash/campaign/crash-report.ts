import { ExitCode } from '../../exit-code.ts';
import type { Host, Versions } from '../../soak/result/host.ts';
import type { JunitCase } from '../report/crash-report-junit.ts';
import type { Failure, FinishedPart } from './campaign.ts';
import type { CampaignOptions } from './campaign-options.ts';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const SUMMARY_SCHEMA = 1;

/**
 * `summary.json` of a campaign. Units stand in the names; times are wall-clock unless they are
 * durations.
 */
export interface CrashSummary {
  readonly schema: typeof SUMMARY_SCHEMA;
  readonly kind: 'tidemark-crash';
  readonly verdict: 'pass' | 'broken' | 'inconclusive' | 'interrupted';
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly reason: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly seed: number;
  /** Does the same again. */
  readonly command: string;
  readonly profile: string;
  readonly workers: number;
  readonly versions: Versions;
  readonly host: Host;
  /** By name. A part that never began is not there. */
  readonly parts: Readonly<
    Record<
      string,
      { readonly durationMs: number; readonly figures: Readonly<Record<string, number>> }
    >
  >;
  readonly failures: readonly FailureSummary[];
}

export type FailureSummary = Pick<Failure, 'invariant' | 'message' | 'seed' | 'command'> & {
  readonly part: string;
  /** Where its report and its store lie. */
  readonly directory: string;
};

export interface CampaignEnd {
  readonly options: Pick<
    CampaignOptions,
    'seed' | 'command' | 'profile' | 'workers' | 'outDirectory'
  >;
  readonly finished: readonly FinishedPart[];
  readonly failures: readonly FailureSummary[];
  readonly interruptedBy: 'SIGINT' | 'SIGTERM' | undefined;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly versions: Versions;
  readonly host: Host;
}

export function summarizeCampaign(end: CampaignEnd): CrashSummary {
  const { options, finished, failures } = end;
  return {
    schema: SUMMARY_SCHEMA,
    kind: 'tidemark-crash',
    ...judge(end),
    startedAt: end.startedAt.toISOString(),
    durationMs: Math.round(end.durationMs),
    seed: options.seed,
    command: options.command,
    profile: options.profile,
    workers: options.workers,
    versions: end.versions,
    host: end.host,
    parts: Object.fromEntries(
      finished.map(({ part, result, durationMs }) => [
        part.name,
        { durationMs: Math.round(durationMs), figures: result.figures },
      ]),
    ),
    failures,
  };
}

/** A broken invariant outweighs an interrupt. */
function judge({
  finished,
  failures,
  interruptedBy,
}: CampaignEnd): Pick<CrashSummary, 'verdict' | 'exitCode' | 'reason'> {
  const [first] = failures;
  if (first !== undefined) {
    const more = failures.length > 1 ? `, and ${failures.length - 1} more` : '';
    const message = first.message.split('\n', 1)[0] as string;
    return {
      verdict: 'broken',
      exitCode: ExitCode.broken,
      reason: `${first.invariant} (seed ${first.seed}${more}): ${message}`,
    };
  }
  if (interruptedBy !== undefined) {
    const exitCode = interruptedBy === 'SIGINT' ? ExitCode.interrupted : ExitCode.terminated;
    const reason = 'stopped in order; nothing wrong was seen until then';
    return { verdict: 'interrupted', exitCode, reason };
  }
  const blind = finished.find(({ result }) => !result.isConclusive);
  if (blind !== undefined) {
    const reason = `the ${blind.part.name} saw too little to be judged`;
    return { verdict: 'inconclusive', exitCode: ExitCode.inconclusive, reason };
  }
  return { verdict: 'pass', exitCode: ExitCode.pass, reason: 'no invariant was broken' };
}

const VERDICTS: Readonly<Record<CrashSummary['verdict'], string>> = {
  pass: 'PASS',
  broken: 'BROKEN',
  inconclusive: 'INCONCLUSIVE',
  interrupted: 'INTERRUPTED',
};

/** The summary as a person reads it. `written` names the files. */
export function describeCampaign(
  summary: CrashSummary,
  finished: readonly FinishedPart[],
  written: readonly string[],
): string {
  const rows = [
    ...finished.flatMap(({ result }) => result.rows),
    ['repeat', summary.command] as const,
    ['report', written.join(', ')] as const,
  ];
  return [
    `${VERDICTS[summary.verdict]}: ${summary.reason}`,
    ...rows.map(([name, text]) => `  ${name.padEnd(11)}${text}`),
    ...summary.failures.flatMap(({ invariant, message, command, directory }) => [
      `  ${invariant}: ${message.split('\n', 1)[0]}`,
      `    kept in ${directory}; again with: ${command}`,
    ]),
  ].join('\n');
}

/** One case an invariant of each part. */
export function junitCases(finished: readonly FinishedPart[]): JunitCase[] {
  return finished.flatMap(({ part, result }) =>
    Object.entries(part.invariants).map(([name, clause]) => ({
      suite: part.name,
      name: `${name}: ${clause}`,
      failures: result.failures
        .filter(({ invariant }) => invariant === name)
        .map(({ message, command }) => `${message}\nAgain with: ${command}`),
    })),
  );
}
