import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExitCode } from '../exit-code.ts';
import { mix32 } from '../prng.ts';
import { print } from '../standard-streams.ts';
import type { Summary } from './result/summary.ts';
import { PLANT_NAMES, type PlantName } from './run/plants.ts';

const CLEAN_RUNS = 10;

/** What must notice a plant: an invariant, or a gate by the beginning of its name. */
const EXPECTED: Readonly<
  Record<PlantName, { readonly exitCode: ExitCode; readonly noticedBy: readonly string[] }>
> = {
  'heap-leak': { exitCode: ExitCode.threshold, noticedBy: ['heap_used_after_gc_bytes: slope'] },
  'descriptor-leak': { exitCode: ExitCode.threshold, noticedBy: ['fds_leaked_when_closed'] },
  'latency-drift': {
    exitCode: ExitCode.threshold,
    noticedBy: ['put_p50_us: growth', 'get_p50_us: growth'],
  },
  'lost-write': { exitCode: ExitCode.broken, noticedBy: ['nothing_lost', 'nothing_wrong'] },
  'resurrected-key': { exitCode: ExitCode.broken, noticedBy: ['nothing_resurrected'] },
  'wrong-value': { exitCode: ExitCode.broken, noticedBy: ['nothing_wrong'] },
};

interface Request {
  readonly outDirectory: string;
  readonly profile: string;
  readonly seed: number;
}

interface Row {
  readonly name: string;
  readonly exitCode: number | null;
  readonly noticedBy: readonly string[];
  readonly seconds: number;
  readonly asExpected: boolean;
}

/**
 * The gate proves itself: every planted fault must end with its gate and its exit code, and every
 * clean run must pass.
 */
export async function selfTest({ outDirectory, profile, seed }: Request): Promise<ExitCode> {
  mkdirSync(outDirectory, { recursive: true });
  const write = (line: string) => print(`${line}`);
  write(`self-test of the gates of the profile ${profile}, seed ${seed}`);
  write(HEADINGS.map((heading, column) => heading.padEnd(WIDTHS[column] as number)).join(''));
  const rows: Row[] = [];
  const plants: (PlantName | undefined)[] = [...PLANT_NAMES, ...Array(CLEAN_RUNS).fill(undefined)];
  for (const [index, plant] of plants.entries()) {
    const row = await run(
      join(outDirectory, `run-${index + 1}`),
      profile,
      mix32(seed + index),
      plant,
    );
    rows.push(row);
    write(lineOf(row));
  }
  const unexpected = rows.filter(({ asExpected }) => !asExpected);
  const caught = rows.slice(0, PLANT_NAMES.length).filter(({ asExpected }) => asExpected).length;
  const clean = rows.slice(PLANT_NAMES.length).filter(({ asExpected }) => asExpected).length;
  write(
    `${unexpected.length === 0 ? 'PASS' : 'FAIL'}: ${caught} of ${PLANT_NAMES.length} plants caught, ${clean} of ${CLEAN_RUNS} clean runs clean`,
  );
  if (unexpected.some(({ exitCode }) => exitCode === ExitCode.interrupted))
    return ExitCode.interrupted;
  return unexpected.length === 0 ? ExitCode.pass : ExitCode.broken;
}

const HEADINGS = ['plant', 'exit', 'seconds', 'as expected', 'noticed by'] as const;
const WIDTHS = [18, 6, 9, 13, 0] as const;

function lineOf({ name, exitCode, seconds, asExpected, noticedBy }: Row): string {
  const cells = [
    name,
    String(exitCode),
    seconds.toFixed(1),
    asExpected ? 'yes' : 'NO',
    noticedBy.join(', '),
  ];
  return cells.map((cell, column) => cell.padEnd(WIDTHS[column] as number)).join('');
}

async function run(
  out: string,
  profile: string,
  seed: number,
  plant: PlantName | undefined,
): Promise<Row> {
  const startMs = performance.now();
  const words = ['--profile', profile, '--seed', String(seed), '--out', out];
  const exitCode = await runSoak(plant === undefined ? words : [...words, '--plant', plant]);
  const seconds = (performance.now() - startMs) / 1000;
  const noticedBy = readNotices(out, exitCode === ExitCode.inconclusive);
  const expected = plant === undefined ? undefined : EXPECTED[plant];
  const asExpected =
    expected === undefined
      ? exitCode === ExitCode.pass && noticedBy.length === 0
      : exitCode === expected.exitCode &&
        expected.noticedBy.some((name) => noticedBy.some((by) => by.startsWith(name)));
  // What went as it should needs no room; what did not is there to be looked at.
  if (asExpected) rmSync(out, { recursive: true, force: true });
  return { name: plant ?? 'none', exitCode, noticedBy, seconds, asExpected };
}

/** Runs that fail on purpose are nothing to show on the page of a job. */
const CHILD_ENV = { ...process.env, GITHUB_STEP_SUMMARY: '' };

function runSoak(words: readonly string[]): Promise<number | null> {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...words], { stdio: 'ignore', env: CHILD_ENV });
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });
}

/** Gates that could not tell matter only where nothing else ended the run. */
function readNotices(out: string, withUndecided: boolean): string[] {
  try {
    const { invariants, gates } = JSON.parse(
      readFileSync(join(out, 'summary.json'), 'utf8'),
    ) as Summary;
    const undecided = withUndecided
      ? gates.filter(({ verdict }) => verdict === 'inconclusive')
      : [];
    return [
      ...invariants.filter(({ holds }) => !holds).map(({ name }) => name),
      ...gates.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name),
      ...undecided.map(({ name }) => `${name} (inconclusive)`),
    ];
  } catch {
    return ['no summary'];
  }
}
