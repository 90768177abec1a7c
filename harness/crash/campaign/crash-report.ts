import { contractInSentences, describeContract, type StoreContract } from '../../contract.ts';
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
  /** What was crashed, and what it was held to. */
  readonly subject: SubjectSummary;
  readonly versions: Versions;
  readonly host: Host;
  /** The parts by name. A part that never began is not there. */
  readonly parts: Readonly<
    Record<
      string,
      {
        readonly durationMs: number;
        readonly figures: Readonly<Record<string, number>>;
        /** The same for people. */
        readonly rows: readonly (readonly [name: string, text: string])[];
        /** What it can find broken, by name, each in one clause. */
        readonly invariants: Readonly<Record<string, string>>;
        readonly isConclusive: boolean;
      }
    >
  >;
  readonly failures: readonly FailureSummary[];
}

export interface SubjectSummary {
  /** The name that the command line has for it. */
  readonly name: string;
  /** What it promises: as the command line takes it, and in one sentence per promise. */
  readonly contract: string;
  readonly promises: readonly string[];
  /** What nobody has said of it, in one sentence each. */
  readonly assumed: readonly string[];
  /** What it does not take; no fault. */
  readonly refusals: readonly string[];
  /** Files that no image of a power cut holds, because the adapter says that they mean nothing. */
  readonly volatileFiles: readonly string[];
}

const OUR_CONTRACT: StoreContract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: false,
  concurrent: true,
};

/** The store of this package, which is held to its own invariants. */
export const OUR_OWN: SubjectSummary = {
  name: 'tidemark',
  contract: describeContract(OUR_CONTRACT),
  promises: contractInSentences(OUR_CONTRACT),
  assumed: [],
  refusals: [],
  volatileFiles: [],
};

export type FailureSummary = Pick<Failure, 'invariant' | 'message' | 'seed' | 'command'> & {
  readonly part: string;
  /** What had been done to the store, line by line. */
  readonly story: readonly string[];
  /** Where its report and its store lie. */
  readonly directory: string;
};

export interface CampaignEnd {
  readonly options: Pick<
    CampaignOptions,
    'seed' | 'command' | 'profile' | 'workers' | 'outDirectory'
  >;
  readonly subject: SubjectSummary;
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
    subject: end.subject,
    versions: end.versions,
    host: end.host,
    parts: Object.fromEntries(
      finished.map(({ part, result, durationMs }) => [
        part.name,
        {
          durationMs: Math.round(durationMs),
          figures: result.figures,
          rows: result.rows,
          invariants: part.invariants,
          isConclusive: result.isConclusive,
        },
      ]),
    ),
    failures,
  };
}

/** Rows that say why a part is inconclusive. */
const WHY_BLIND: readonly string[] = ['but', 'too little'];

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
    const why = blind.result.rows.find(([name]) => WHY_BLIND.includes(name))?.[1];
    const reason = `the ${blind.part.name} saw too little to be judged${why === undefined ? '' : `: ${why}`}`;
    return { verdict: 'inconclusive', exitCode: ExitCode.inconclusive, reason };
  }
  return { verdict: 'pass', exitCode: ExitCode.pass, reason: 'no invariant was broken' };
}

export const VERDICTS: Readonly<Record<CrashSummary['verdict'], string>> = {
  pass: 'PASS',
  broken: 'BROKEN',
  inconclusive: 'INCONCLUSIVE',
  interrupted: 'INTERRUPTED',
};

/** The summary as a person reads it. `written` names the files. */
export function describeCampaign(summary: CrashSummary, written: readonly string[]): string {
  const rows = [
    ...Object.values(summary.parts).flatMap(({ rows }) => rows),
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

/** One case per invariant of each part. */
export function junitCases({ parts, failures }: CrashSummary): JunitCase[] {
  return Object.entries(parts).flatMap(([suite, { invariants }]) =>
    Object.entries(invariants).map(([name, clause]) => ({
      suite,
      name: `${name}: ${clause}`,
      failures: failures
        .filter(({ part, invariant }) => part === suite && invariant === name)
        .map(({ message, command }) => `${message}\nAgain with: ${command}`),
    })),
  );
}
