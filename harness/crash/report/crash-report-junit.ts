/** Test results in the JUnit format that CI systems read. */
export interface JunitCase {
  readonly suite: string;
  readonly name: string;
  /** None when it passed. */
  readonly failures: readonly string[];
}

export function junitXml(name: string, cases: readonly JunitCase[], durationMs: number): string {
  const suites = new Map<string, JunitCase[]>();
  for (const one of cases) suites.set(one.suite, [...(suites.get(one.suite) ?? []), one]);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escaped(name)}" ${tally(cases)} time="${(durationMs / 1000).toFixed(3)}">`,
  ];
  for (const [suite, own] of suites) {
    lines.push(`  <testsuite name="${escaped(suite)}" ${tally(own)}>`);
    for (const one of own) lines.push(...caseLines(`${name}.${suite}`, one));
    lines.push('  </testsuite>');
  }
  return `${[...lines, '</testsuites>'].join('\n')}\n`;
}

function tally(cases: readonly JunitCase[]): string {
  return `tests="${cases.length}" failures="${cases.filter(({ failures }) => failures.length > 0).length}"`;
}

function caseLines(className: string, { name, failures }: JunitCase): string[] {
  const head = `    <testcase classname="${escaped(className)}" name="${escaped(name)}"`;
  if (failures.length === 0) return [`${head}/>`];
  return [
    `${head}>`,
    ...failures.map(
      (text) =>
        `      <failure message="${escaped(text.split('\n', 1)[0] as string)}">${escaped(text)}</failure>`,
    ),
    '    </testcase>',
  ];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"]/g, (character) => ENTITIES[character] as string)
      // Control characters that XML 1.0 cannot hold at all.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd')
  );
}
