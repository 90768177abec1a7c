import { formatQuantity, type Unit } from '../../quantity.ts';
import type { Gate } from '../gates/gate.ts';
import type { Invariant } from './invariants.ts';
import type { Summary } from './summary.ts';

/** `junit.xml`: one case per invariant and per gate, as every CI reads it. */
export function junitOf(summary: Summary): string {
  const seconds = (summary.durationMs / 1000).toFixed(3);
  const baseline = (summary.baseline?.rows ?? []).map(
    ({ name, unit, verdict, blocks, base, head }) => ({
      name: `baseline: ${name}`,
      problem: blocks
        ? `<failure message="${escaped(`${verdict}: ${shown(base, unit)} before, ${shown(head, unit)} now`)}"/>`
        : '',
    }),
  );
  const suites = [
    suite('invariants', summary.invariants.map(invariantCase), seconds),
    suite('gates', summary.gates.map(gateCase), seconds),
    ...(baseline.length === 0 ? [] : [suite('baseline', baseline, seconds)]),
    suite('run', [{ name: 'verdict', problem: verdictProblem(summary) }], seconds),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="soak">
${suites.join('\n')}
</testsuites>
`;
}

interface Case {
  readonly name: string;
  /** The element inside; empty when there is nothing to say. */
  readonly problem: string;
}

function shown(value: number | null, unit: Unit): string {
  return value === null ? 'nothing' : formatQuantity(value, unit);
}

function suite(name: string, cases: readonly Case[], seconds: string): string {
  const count = (element: string) =>
    cases.filter(({ problem }) => problem.startsWith(`<${element}`)).length;
  const lines = cases.map(({ name: one, problem }) =>
    problem === ''
      ? `    <testcase classname="soak.${name}" name="${escaped(one)}"/>`
      : `    <testcase classname="soak.${name}" name="${escaped(one)}">${problem}</testcase>`,
  );
  return `  <testsuite name="${name}" tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="${seconds}">
${lines.join('\n')}
  </testsuite>`;
}

function invariantCase({ name, meaning, holds, violations }: Invariant): Case {
  const text = escaped(violations.join('\n'));
  return { name, problem: holds ? '' : `<failure message="${escaped(meaning)}">${text}</failure>` };
}

function gateCase({ name, verdict, detail, excused }: Gate): Case {
  if (excused === true) return { name, problem: `<system-out>${escaped(detail)}</system-out>` };
  const element = { passed: '', failed: 'failure', inconclusive: 'error', skipped: 'skipped' }[
    verdict
  ];
  return { name, problem: element === '' ? '' : `<${element} message="${escaped(detail)}"/>` };
}

/** What neither an invariant nor a gate tells: a run that was ended from outside. */
function verdictProblem({ verdict, reason, command }: Summary): string {
  if (verdict === 'pass') return '';
  const element = verdict === 'broken' || verdict === 'threshold' ? 'failure' : 'error';
  return `<${element} message="${escaped(reason)}">${escaped(command)}</${element}>`;
}

function escaped(text: string): string {
  return (
    text
      // No escape makes these legal in XML.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
  );
}
