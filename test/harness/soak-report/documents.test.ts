import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readSummary } from '../soak/soak-command.ts';

const run = promisify(execFile);
const SOAK = `${process.execPath} ${resolve('dist/harness/soak/main.js')}`;

/**
 * The section "From nothing to a gate for your own store" of docs/harness.md, its blocks by
 * language.
 */
function blocks(): Map<string, string[]> {
  const text = readFileSync('docs/harness.md', 'utf8');
  const section = /^## From nothing to a gate[\s\S]*?(?=^## )/m.exec(text)?.[0] ?? '';
  const found = new Map<string, string[]>();
  for (const [, language = '', code = ''] of section.matchAll(
    /^```(\w+)(?: not-run: .+)?\n([\s\S]*?)^```/gm,
  )) {
    found.set(language, [...(found.get(language) ?? []), code]);
  }
  return found;
}

test('from nothing to a gate: the adapter, the profile, the commands and the script of docs/harness.md work together', async () => {
  const directory = temporaryDirectory();
  const code = blocks();
  writeFileSync(join(directory, 'my-store.mjs'), code.get('js')?.[0] as string);
  writeFileSync(join(directory, 'my-profile.json'), code.get('json')?.[0] as string);
  const script = [...(code.get('sh') ?? []), ...(code.get('bash') ?? [])].join('\n');
  expect(script.match(/npx tidemark-soak /g)).toHaveLength(3);
  // Two runs after each other are compared, and the machine may be busy with something else in one
  // of them.
  const soak = `${SOAK} --min-effect 100`;
  await run('bash', ['-euc', script.replaceAll('npx tidemark-soak', soak)], { cwd: directory });
  expect(readSummary(join(directory, 'first'))).toMatchObject({
    verdict: 'pass',
    profile: { name: 'my-store' },
  });
  expect(readSummary(join(directory, 'second')).baseline.directory).toBe(join(directory, 'first'));
  expect(readSummary(join(directory, 'soak')).gates.length).toBeGreaterThanOrEqual(7);
});

/** Runs the script of action.yml as GitHub does, with these `arguments`. */
function runAction(directory: string, lines: string) {
  const action = readFileSync('action.yml', 'utf8');
  const indented = /- name: Soak[\s\S]*?run: \|\n([\s\S]*?)\n\n/.exec(action)?.[1] as string;
  const script = indented.replace(/^ {8}/gm, '');
  const output = join(directory, 'output');
  const { status, stdout, stderr } = spawnSync('bash', ['-eo', 'pipefail', '-c', script], {
    cwd: directory,
    encoding: 'utf8',
    env: {
      ...process.env,
      ...{
        SOAK: resolve('dist/harness/soak/main.js'),
        PROFILE: 'smoke',
        ADAPTER: 'tidemark',
        SEED: '3',
      },
      ...{
        BASELINE: '',
        HISTORY: '',
        ARGUMENTS: lines,
        OUT: 'out',
        GITHUB_OUTPUT: output,
      },
    },
  });
  return { status, stdout, stderr, output };
}

test('the script of action.yml runs the soak with its inputs, and passes the exit status on', () => {
  const directory = temporaryDirectory();
  const lines = '--bytes 2MB\n--keys 2000\n--max-rss-mb "1"\n';
  const { status, stderr, output } = runAction(directory, lines);
  expect(`${status} ${stderr}`).toMatch(/^99 /);
  expect(readFileSync(output, 'utf8')).toBe('exit-code=99\n');
  expect(readSummary(join(directory, 'out'))).toMatchObject({ seed: 3, verdict: 'threshold' });
});

test('arguments of action.yml keep their blanks, are not run, and need their quotes closed', () => {
  const directory = temporaryDirectory();
  const blanks = runAction(directory, "--adapter './no such $(touch run).mjs'\n--keys 5");
  expect(`${blanks.status} ${blanks.stderr}`).toMatch(/^2 .*no such \$\(touch run\)\.mjs/s);
  expect(existsSync(join(directory, 'run'))).toBe(false);
  const open = runAction(directory, "--keys '5");
  expect(`${open.status} ${open.stdout}`).toMatch(/^2 .*a quote is not closed/s);
});

test('docs/harness.md names every statistic, profile and file of the report', () => {
  const text = readFileSync('docs/harness.md', 'utf8');
  const schema = JSON.parse(readFileSync('harness/soak/profiles/profile.schema.json', 'utf8'));
  expect(schema.properties.gates.description).toContain('--list-series');
  for (const word of [
    'min',
    'max',
    'mean',
    'median',
    'last',
    'value',
    'slope',
    'growth',
    'smoke',
    'pr',
    'nightly',
  ]) {
    expect(text).toContain(`\`${word}\``);
  }
});
