import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { whyNoRecording } from '../../../harness/crash/recording/record-program.ts';
import { ExitCode } from '../../../harness/exit-code.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** The command as a stranger uses it, from a directory of their own. */
const MAIN = resolve('dist/harness/crash/main.js');
const EXAMPLES = resolve('examples/power-cuts');

function crash(cwd: string, ...words: readonly string[]) {
  return new Promise<{ status: number; output: string; errors: string }>((done) => {
    execFile(process.execPath, [MAIN, ...words], { cwd }, (error, output, errors) =>
      done({ status: error === null ? 0 : Number(error.code), output, errors }),
    );
  });
}
const program = (cwd: string, check: string, ...workload: readonly string[]) =>
  crash(cwd, 'program', '--dir', 'data', '--check', check, '--seed', '1', '--', ...workload);

describe.skipIf(whyNoRecording() !== undefined)('the power cut of any program', () => {
  const timeout = 120_000;

  test('finds what a rename without a sync loses, and which sync is missing', {
    timeout,
  }, async () => {
    const cwd = temporaryDirectory();
    const check = `node ${EXAMPLES}/check.mjs`;
    const { status, output } = await program(cwd, check, 'node', `${EXAMPLES}/write-careless.mjs`);
    expect(output).toMatch(/BROKEN: check/);
    expect(output).toMatch(/The program had printed "\d" at call \d+\. The power cut lost/);
    expect(output).toMatch(/sync.* would have been enough/);
    expect(status).toBe(ExitCode.broken);
    const report = readFileSync(join(cwd, 'tidemark-crash/failures/1/report.txt'), 'utf8');
    expect(report).toContain('rename(/count.json.tmp, /count.json)');
    expect(existsSync(join(cwd, 'data'))).toBe(false);
  });

  test('finds nothing in the same done right', { timeout }, async () => {
    const cwd = temporaryDirectory();
    const check = `node ${EXAMPLES}/check.mjs`;
    const { status, output } = await program(cwd, check, 'node', `${EXAMPLES}/write-carefully.mjs`);
    expect(output).toMatch(/PASS/);
    expect(status).toBe(ExitCode.pass);
  });

  test('takes a program that is not JavaScript', { timeout }, async () => {
    const cwd = temporaryDirectory();
    const check = `sh ${EXAMPLES}/check-log.sh`;
    const right = await program(cwd, check, 'sh', `${EXAMPLES}/append.sh`);
    expect(right.output).toMatch(/PASS/);
    const text = readFileSync(`${EXAMPLES}/append.sh`, 'utf8').replace(/^ +sync.*\n/m, '');
    writeFileSync(join(cwd, 'unsynced.sh'), text);
    const wrong = await program(cwd, check, 'sh', 'unsynced.sh');
    expect(wrong.output).toMatch(/A sync of `log` between the calls \d+ and \d+ would have been/);
    expect(wrong.status).toBe(ExitCode.broken);
  });

  test('says why it can judge nothing, and removes nothing of anybody', { timeout }, async () => {
    const cwd = temporaryDirectory();
    const silent = await program(cwd, 'true', 'sh', '-c', 'mkdir -p data; echo a >data/b');
    expect(silent).toMatchObject({ status: ExitCode.inconclusive });
    expect(silent.output).toMatch(/0 lines \(at least 1\) say nothing/);
    const failing = await program(cwd, 'true', 'sh', '-c', 'echo oh >&2; exit 3');
    expect(failing.errors).toMatch(/ended with 3: oh/);
    expect(failing.status).toBe(ExitCode.inconclusive);
    mkdirSync(join(cwd, 'data'));
    writeFileSync(join(cwd, 'data/mine'), 'precious');
    const refused = await program(cwd, 'true', 'true');
    expect(refused).toMatchObject({ status: ExitCode.usage });
    expect(refused.errors).toMatch(/--dir: .* is not empty \(mine\)/);
    expect(readFileSync(join(cwd, 'data/mine'), 'utf8')).toBe('precious');
    expect(await crash(cwd, 'program', '--dir', 'x')).toMatchObject({ status: ExitCode.usage });
  });
});
