import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const FOLDER = '.github/workflows';
const { scripts, engines, version } = JSON.parse(readFileSync('package.json', 'utf8'));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly 'timeout-minutes': number;
        readonly permissions?: Readonly<Record<string, string>>;
        readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
        readonly steps: readonly Step[];
      }
    >
  >;
}

const workflows = readdirSync(FOLDER).map(
  (name) => [name, parse(readFileSync(join(FOLDER, name), 'utf8')) as Workflow] as const,
);
const workflow = (name: string) => new Map(workflows).get(name) as Workflow;

describe.each(workflows)('the workflow %s', (_, { permissions, jobs }) => {
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  test('may only read unless a job asks for more, and ends by itself', () => {
    expect(permissions).toEqual({ contents: 'read' });
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0);
  });

  test('runs scripts that there are, and pastes nothing of an event into a shell', () => {
    for (const { run = '' } of steps) {
      expect(run).not.toContain('${{');
      for (const [, name] of run.matchAll(/npm run ([\w:]+)/g))
        expect(scripts).toHaveProperty([name as string]);
    }
  });

  test('says which version of each action it uses', () => {
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+$/);
  });
});

test('a change runs everything on the oldest Node that is supported, and on the two after it', () => {
  const { all } = workflow('ci.yml').jobs;
  expect(all?.strategy?.matrix.node).toEqual([engines.node.replace('>=', ''), '22', '24']);
  expect(all?.steps.some(({ run }) => run?.includes('.ci/run'))).toBe(true);
});

test('a release is published with provenance, and only after everything has passed', () => {
  const { publish } = workflow('release.yml').jobs;
  const runs = publish?.steps.map(({ run }) => run ?? '') ?? [];
  const [passed, published] = ['.ci/run', 'npm publish --provenance'].map((words) =>
    runs.findIndex((run) => run.includes(words)),
  );
  expect(passed).toBeGreaterThan(0);
  expect(published).toBeGreaterThan(passed as number);
  expect(publish?.permissions).toMatchObject({ 'id-token': 'write' });
});

test('the changelog has the version of the package, and a place for what comes next', () => {
  const changelog = readFileSync('CHANGELOG.md', 'utf8');
  expect(changelog).toMatch(/^## \[Unreleased\]$/m);
  expect(changelog).toMatch(
    new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`, 'm'),
  );
});
