import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { appendHistory } from '../../../harness/soak/result/history.ts';
import { junitOf } from '../../../harness/soak/result/junit.ts';
import { markdownOf } from '../../../harness/soak/result/step-summary.ts';
import type { Summary } from '../../../harness/soak/result/summary.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { LYING_STORE, readSummary, runSoak } from '../soak/soak-command.ts';

const SMALL = ['--seed', '7', '--keys', '50', '--bytes', '4MB', '--sample-ms', '50'];

function edit(out: string, change: (summary: Record<string, never>) => unknown): void {
  const path = join(out, 'summary.json');
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
}

let small: string;
beforeAll(async () => {
  small = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  await runSoak([...SMALL, '--out', small]);
  return () => rmSync(small, { recursive: true });
});

/** The report of a run of `SMALL`, to be changed. */
function reportOfSmall(): string {
  const directory = temporaryDirectory();
  cpSync(small, directory, { recursive: true });
  return directory;
}

describe('a baseline', () => {
  test('the same run again has the same counts; one that did something else ends with 99', async () => {
    const [base, head] = [reportOfSmall(), temporaryDirectory()];
    const again = await runSoak([
      ...SMALL,
      '--min-effect',
      '100',
      '--out',
      head,
      '--baseline',
      base,
    ]);
    expect(again.code).toBe(0);
    const { rows, warnings } = readSummary(head).baseline;
    expect(warnings).toEqual([]);
    expect(rows.find(({ name }: { name: string }) => name === 'puts')).toMatchObject({
      verdict: 'same',
    });

    edit(base, (summary) => ({ ...summary, totals: { ...(summary.totals as object), puts: 1 } }));
    const other = await runSoak([...SMALL, '--out', head, '--baseline', base]);
    expect(other.stdout).toMatch(/^THRESHOLD CROSSED: puts is \d+, and was 1 in the baseline/);
    expect(other.code).toBe(99);
  });

  test('of another seed or class of machine it is compared with less, and says so', async () => {
    const [base, head] = [reportOfSmall(), temporaryDirectory()];
    edit(base, (summary) => ({
      ...summary,
      host: { ...(summary.host as object), machineClass: 'a slow one' },
    }));
    const words = ['--seed', '8', '--keys', '50', '--bytes', '4MB', '--sample-ms', '50'];
    const { code, stderr } = await runSoak([...words, '--out', head, '--baseline', base]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/another seed \(7\): counts are not compared/);
    expect(stderr).toMatch(
      /another class of machine \(a slow one; here .*\): times are not compared/,
    );
  });

  test.each([
    [
      'a truncated one',
      (text: string) => text.slice(0, 700),
      /is truncated or no JSON \(700 characters\)$/,
    ],
    [
      'an older schema',
      (text: string) => text.replace('"schema": 2', '"schema": 1'),
      /has schema 1, and this is/,
    ],
    ['something else', () => '{}', /is no summary of a soak$/],
  ])('%s is refused before anything is written', async (_name, change, message) => {
    const [base, head] = [reportOfSmall(), join(temporaryDirectory(), 'out')];
    const path = join(base, 'summary.json');
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    // The reason is told even where the samples are gone as well.
    rmSync(join(base, 'samples.csv'));
    const { code, stderr } = await runSoak([...SMALL, '--out', head, '--baseline', base]);
    expect(stderr).toMatch(/^soak: --baseline: .*summary\.json /);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(head)).toBe(false);
  });
});

test('what CI reads: one case per invariant and per gate, the benchmark, the page of the job', async () => {
  const out = temporaryDirectory();
  const [benchmark, step] = [join(out, 'bench.json'), join(out, 'step.md')];
  process.env.GITHUB_STEP_SUMMARY = step;
  try {
    await runSoak(
      [...SMALL, '--adapter', LYING_STORE, '--out', out, '--benchmark-json', benchmark],
      'wrong',
    );
  } finally {
    delete process.env.GITHUB_STEP_SUMMARY;
  }
  const summary = readSummary(out) as Summary;
  const junit = readFileSync(join(out, 'junit.xml'), 'utf8');
  expect(junit.match(/<testcase /g)).toHaveLength(
    summary.invariants.length + summary.gates.length + 1,
  );
  expect(junit).toMatch(
    /name="nothing_wrong"><failure message="a key holds the bytes that were put last">&quot;key-/,
  );
  const entries = JSON.parse(readFileSync(benchmark, 'utf8'));
  for (const entry of entries)
    expect(entry).toMatchObject({ name: expect.any(String), value: expect.any(Number) });
  expect(readFileSync(step, 'utf8')).toMatch(
    /^## Soak: broken\n[\s\S]*```sh\nnpm run soak -- --seed 7/,
  );
});

test('what a key or a message holds cannot end a cell, a line or an element', () => {
  const summary = {
    ...readSummary(small),
    verdict: 'broken',
    reason: 'a|b\n<script>&"\u0001',
  } as Summary;
  expect(markdownOf(summary)).toContain('a\\|b \\<script\\>&"');
  expect(junitOf(summary)).toContain('a|b\n&lt;script&gt;&amp;&quot;\ufffd');
});

test('the history grows by one line per run, tells of a level that changed, and passes over what is no run', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'history.jsonl');
  const out = join(directory, 'out');
  expect((await runSoak([...SMALL, '--out', out, '--history', path])).code).toBe(0);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    schema: 1,
    verdict: 'pass',
    seed: 7,
  });
  appendFileSync(path, 'not a run\n');
  const summary = readSummary(out) as Summary;
  const run = (value: number) => {
    const metric = {
      name: 'put_p50_us',
      unit: 'us',
      value,
      better: 'less',
      isTime: true,
      samples: [],
    } as const;
    return appendHistory(path, summary, [metric]);
  };
  for (let index = 0; index < 12; index++) run(10 + (index % 3) * 0.1);
  let warnings: string[] = [];
  for (let index = 0; index < 12; index++) warnings = run(15 + (index % 3) * 0.1);
  expect(warnings[0]).toMatch(/history\.jsonl: 1 lines are no runs/);
  expect(warnings[1]).toMatch(/^put_p50_us changed by \+\d\d % \(worse\) with the run of /);
  expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(26);
});

test('a gate of a profile that aborts ends the run long before its goal', async () => {
  const out = temporaryDirectory();
  const profile = join(out, 'profile.json');
  const gates = { rss_bytes: [{ threshold: 'max <= 1 * MB', abortOnFail: true }] };
  writeFileSync(profile, JSON.stringify({ goal: { seconds: 600 }, warmupPercent: 0, gates }));
  const { code, stdout } = await runSoak([
    '--profile',
    profile,
    '--seed',
    '1',
    '--sample-ms',
    '50',
    '--out',
    out,
  ]);
  expect(stdout).toMatch(
    /^THRESHOLD CROSSED: rss_bytes: max <= 1 \* MB: \d+(\.\d+)? MB of at most 1\.00 MB, over/,
  );
  expect(code).toBe(99);
  expect(readSummary(out).gates.at(-1)).toMatchObject({ aborted: true, verdict: 'failed' });
});

test('a leak gate of a run that was too short to tell ends with 3', async () => {
  const out = temporaryDirectory();
  // Its own profile: those of `smoke` judge what a loaded machine may cross in so short a run.
  const profile = join(out, 'leaks.json');
  writeFileSync(
    profile,
    JSON.stringify({
      goal: { bytes: '4MB' },
      gates: { rss_bytes: ['slope <= 256 * kB'], heap_used_after_gc_bytes: ['slope <= 16 * kB'] },
    }),
  );
  const { code, stdout } = await runSoak(['--profile', profile, ...SMALL, '--out', out]);
  expect(stdout).toMatch(/^INCONCLUSIVE: .*too short to tell/);
  expect(code).toBe(3);
});

test('--force empties a store directory, and nothing else does', async () => {
  const [out, store] = [temporaryDirectory(), temporaryDirectory()];
  mkdirSync(join(store, 'precious'));
  expect((await runSoak([...SMALL, '--out', out, '--dir', store])).code).toBe(2);
  expect(readdirSync(store)).toEqual(['precious']);
  expect((await runSoak([...SMALL, '--out', out, '--dir', store, '--force'])).code).toBe(0);
  expect(readdirSync(store)).not.toContain('precious');
});
