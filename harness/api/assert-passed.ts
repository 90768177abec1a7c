import type { CrashSummary } from '../crash/campaign/crash-report.ts';
import { formatQuantity } from '../quantity.ts';
import type { Gate } from '../soak/gates/gate.ts';
import type { Summary } from '../soak/result/summary.ts';

/** A run that did not pass; the message is its story. */
export class HarnessFailure extends Error {
  override readonly name = 'HarnessFailure';
  readonly summary: Summary | CrashSummary;

  constructor(message: string, summary: Summary | CrashSummary) {
    super(message);
    this.summary = summary;
  }
}

/**
 * Throws `HarnessFailure` unless the verdict is `pass`; an inconclusive run has not passed. The
 * message says what was broken, what had been done before, and which command does it again.
 */
export function assertPassed(summary: Summary | CrashSummary): void {
  if (summary.verdict === 'pass') return;
  const lines = summary.kind === 'tidemark-soak' ? storyOfSoak(summary) : storyOfCrash(summary);
  throw new HarnessFailure(lines.join('\n'), summary);
}

function storyOfSoak(summary: Summary): string[] {
  const { verdict, configuration, reason, outcome, gates, command } = summary;
  const violations = outcome?.kind === 'violated' ? outcome.violations : [];
  return [
    `soak of ${configuration.adapter}: ${verdict}: ${reason}`,
    ...violations.map(({ kind, key, detail }) => `  ${kind}: key ${key} ${detail}`),
    ...gates
      .filter((gate) => gate.verdict === 'failed' || gate.verdict === 'inconclusive')
      .map((gate) => `  ${describeGate(gate)}`),
    ...(summary.storeDirectory === null ? [] : [`  the store is in ${summary.storeDirectory}`]),
    `  again with: ${command}`,
  ];
}

function describeGate({ verdict, name, value, limit, unit, detail }: Gate): string {
  const measured =
    typeof value === 'number' && typeof limit === 'number'
      ? ` (${formatQuantity(value, unit)}, limit ${formatQuantity(limit, unit)})`
      : '';
  return `${verdict}: gate ${name}${measured}: ${detail}`;
}

function storyOfCrash({ subject, verdict, reason, failures, command }: CrashSummary): string[] {
  return [
    `crash of ${subject.name}: ${verdict}: ${reason}`,
    ...failures.flatMap(({ part, invariant, message, story, command: again }) => [
      `  ${part}, ${invariant}: ${message.split('\n').join('\n    ')}`,
      ...story.map((line) => `    ${line}`),
      `    again with: ${again}`,
    ]),
    ...(failures.length > 0 ? [] : [`  again with: ${command}`]),
  ];
}
