import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import type { Mutant } from '../../../harness/crash/plants/mutant.ts';
import { MutantCopy } from '../../../harness/crash/plants/mutant-copy.ts';
import { MUTANTS } from '../../../harness/crash/plants/mutants.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** The campaign as `npm run crash` runs it, in a copy of the compiled files. */
function start(directory: string, words: readonly string[]) {
  const child = spawn(process.execPath, [join(directory, 'dist/harness/crash/main.js'), ...words]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, output })),
  );
  return { child, ended };
}

describe('a campaign', () => {
  test('finds a planted mistake, keeps the store, and says how to find it again in fewer steps', async () => {
    const mutant = MUTANTS.find(({ name }) => name === 'acknowledged-before-sync') as Mutant;
    const copy = new MutantCopy(mutant.edits);
    try {
      const out = temporaryDirectory();
      const { status, output } = await start(copy.directory, ['--only-seed', '1', '--out', out])
        .ended;
      expect(output).toMatch(/BROKEN: I\d+ \(seed 1\)/);
      expect(status).toBe(1);
      const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
      expect(summary).toMatchObject({ verdict: 'broken', exitCode: 1, seed: 1 });
      const [failure] = summary.failures;
      expect(failure).toMatchObject({
        part: 'states',
        seed: 1,
        directory: join(out, 'failures', '1'),
      });
      expect(readFileSync(join(out, 'junit.xml'), 'utf8')).toContain('<failure message="');
      const report = readFileSync(join(failure.directory, 'report.txt'), 'utf8');
      expect(report).toContain(failure.message);
      expect(readdirSync(join(failure.directory, 'store'))).toContain('.lock');

      // The command that it names finds the same again.
      const words = failure.command.replace('npm run crash -- ', '').split(' ');
      const again = await start(copy.directory, [...words, '--out', temporaryDirectory()]).ended;
      expect(again.status).toBe(1);
      expect(again.output).toMatch(new RegExp(`BROKEN: ${failure.invariant} `));
    } finally {
      copy.remove();
    }
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends it in order, with a report', async (signal, expected) => {
    const out = temporaryDirectory();
    const { child, ended } = start('.', ['--seconds', '60', '--seed', '1', '--out', out]);
    // Its first line comes when it is about to begin.
    createInterface({ input: child.stderr }).once('line', () => child.kill(signal));
    const { status, output } = await ended;
    expect(output).toMatch(/INTERRUPTED/);
    expect(status).toBe(expected);
    const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
    expect(summary).toMatchObject({ verdict: 'interrupted', exitCode: expected });
    expect(Object.keys(summary.parts)).toEqual(['states']);
  });
});
