import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { MutantCheckName } from '../crash/plants/mutant.ts';
import type { MutantVerdict } from '../crash/plants/mutant-child.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { EngineFile, MutatedCopy } from './mutated-copy.ts';

/** What noticed a mutant. Undefined: nobody. */
export type CaughtBy = string | undefined;

/** Histories and crash states find most of them in a second or two; corners take longer. */
const CHECKS: readonly (readonly [MutantCheckName, seconds: number])[] = [
  ['upkeep', 4],
  ['states', 5],
  ['corpus', 20],
  ['corners', 60],
];
/** The clock of a busy machine goes on while nothing is done. */
const MOST_CLOCK_PER_SECOND = 6;
const TESTS_MS = 240_000;

/** Asks the campaign's checks, then the tests that import the file or are named for it. */
export async function judgeMutant(
  copy: MutatedCopy,
  file: EngineFile,
  seed: number,
  signal: AbortSignal,
): Promise<CaughtBy> {
  for (const [check, seconds] of CHECKS) {
    const caught = await runCheck(copy, check, seed, seconds, signal);
    if (caught !== undefined || signal.aborted) return caught;
  }
  return runTests(copy, testsOf(file), signal);
}

async function runCheck(
  { directory }: MutatedCopy,
  check: MutantCheckName,
  seed: number,
  seconds: number,
  signal: AbortSignal,
): Promise<CaughtBy> {
  const program = join(directory, 'dist/harness/crash/plants/mutant-child.js');
  const child = fork(program, [String(seed), String(seconds), check], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    signal,
  });
  let verdict: MutantVerdict | undefined;
  child.on('message', (message: MutantVerdict) => {
    verdict = message;
  });
  const isLate = await endsLate(child, seconds * MOST_CLOCK_PER_SECOND * 1000);
  if (signal.aborted) return undefined;
  if (isLate) return `${check}: it does not come to an end`;
  if (verdict === undefined) return `${check}: the process ends`;
  const { caught } = verdict;
  return caught && `${check}: ${caught.invariant}`;
}

async function runTests(
  { directory }: MutatedCopy,
  tests: readonly string[],
  signal: AbortSignal,
): Promise<CaughtBy> {
  if (tests.length === 0) return undefined;
  const vitest = join(PACKAGE_ROOT, 'node_modules/vitest/vitest.mjs');
  const config = join(PACKAGE_ROOT, 'harness/mutate/mutated-tests.config.ts');
  const words = [vitest, 'run', '--config', config, '--bail=1', '--maxWorkers=1', ...tests];
  const child = spawn(process.execPath, words, {
    cwd: PACKAGE_ROOT,
    env: { ...process.env, TIDEMARK_MUTATED: directory },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
    signal,
  });
  let said = '';
  child.stdout?.on('data', (bytes) => {
    said += String(bytes);
  });
  const isLate = await endsLate(child, TESTS_MS);
  if (signal.aborted) return undefined;
  if (isLate) return 'tests: they do not come to an end';
  const failed = /FAIL.*?(test\/\S+)/.exec(said)?.[1];
  return child.exitCode === 0 ? undefined : `tests: ${failed ?? 'they end'}`;
}

/** Ends the process, and what it has started, when it takes longer. */
function endsLate(child: ChildProcess, mostMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, mostMs);
    const end = () => {
      clearTimeout(late);
      resolve(isLate);
    };
    child.once('close', end);
    child.once('error', end);
  });
}

/** Tests that import the file, or are named for it. */
export function testsOf({ name, path }: EngineFile): string[] {
  const source = path.replace(/^dist\/(.*)\.js$/, '$1.ts');
  const words = name.split('-').filter((word) => word.length > 3);
  return testFiles().filter((test) => {
    const isNamed = words.some((word) => basename(test).includes(word));
    const text = readFileSync(join(PACKAGE_ROOT, test), 'utf8');
    return isNamed || text.includes(`../${source}'`);
  });
}

function testFiles(): string[] {
  return readdirSync(join(PACKAGE_ROOT, 'test', 'engine'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', 'engine', name));
}
