import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

function crash(...words: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['dist/harness/crash/main.js', ...words],
      (error, stdout, stderr) => {
        resolve({
          status: error === null ? 0 : (error.code as unknown as number),
          output: stdout + stderr,
        });
      },
    );
  });
}

describe('npm run crash', () => {
  test('one workload by its seed passes, and leaves a summary and a JUnit report', async () => {
    const out = temporaryDirectory();
    const { status, output } = await crash(
      '--only-seed',
      '3',
      '--only-steps',
      '0,1,2,3,4,5',
      '--out',
      out,
    );
    expect(output).toMatch(/PASS: no invariant was broken/);
    expect(status).toBe(0);
    const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
    expect(summary).toMatchObject({
      schema: 1,
      kind: 'tidemark-crash',
      verdict: 'pass',
      failures: [],
    });
    expect(summary.parts.states.figures.states).toBeGreaterThan(10);
    expect(readFileSync(join(out, 'junit.xml'), 'utf8')).toContain('I1: the recovered state');
  });

  test('a planted mistake is caught, and the table says by what', async () => {
    const out = temporaryDirectory();
    // One that shows in the workloads that are run first, whatever time there is.
    const words = [
      '--mutants',
      '--only-mutant',
      'tombstones-ignored',
      '--seconds',
      '1',
      '--out',
      out,
    ];
    const { status } = await crash(...words);
    expect(status).toBe(0);
    expect(readFileSync(join(out, 'mutants.md'), 'utf8')).toMatch(
      /\| tombstones-ignored \|.*\| states: I1 \|/,
    );
  });

  test.each([
    [['--only-steps', '1'], /--only-steps needs --only-seed/],
    [['--profile', 'endless'], /quick, default, nightly/],
    [['--seconds', '-1'], /above 0/],
    [['--mutants', '--only-mutant', 'nobody'], /no mutant 'nobody'/],
  ])('wrong words exit 2 and say what is wrong: %j', async (words, message) => {
    const out = join(temporaryDirectory(), 'out');
    const { status, output } = await crash(...words, '--out', out);
    expect(status).toBe(2);
    expect(output).toMatch(message);
    expect(existsSync(join(out, 'summary.json'))).toBe(false);
  });
});
