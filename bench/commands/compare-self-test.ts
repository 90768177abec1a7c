import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { ExitCode } from '../../harness/exit-code.ts';
import { type BuildsOptions, compareBuilds, measureSides } from '../builds/compare-builds.ts';
import { OWN_ENGINE_URL } from '../builds/engine-contender.ts';
import { inBenchDirectory, UsageError } from '../measuring/bench-directory.ts';
import { type Comparison, type RowComparison, samplesOf } from '../measuring/comparison.ts';
import { print, progress } from '../measuring/output.ts';
import { nsAStep, type SlowedMethod, slowedBuild } from '../measuring/slowed-build.ts';
import { formatChange } from '../measuring/table.ts';

const SLOWED_BY = 0.2;
const COMPARISONS_WITH_ITSELF = 20;
/** Processes that tell how long the method takes that is to be slowed. */
const CALIBRATION_LAUNCHES = 5;

const SLOWED_ROWS: readonly {
  readonly method: SlowedMethod;
  readonly group: 'get-100k' | 'put';
  readonly id: string;
}[] = [
  { method: 'get', group: 'get-100k', id: 'get-100k' },
  { method: 'put', group: 'put', id: 'put' },
];

/**
 * The comparison proves itself: a copy of this build whose gets, and one whose puts take a fifth
 * longer must each be flagged, by that row, and this build must never be flagged beside itself.
 */
export async function runCompareSelfTest(options: BuildsOptions): Promise<void> {
  const dist = fileURLToPath(new URL('../../', OWN_ENGINE_URL));
  for (const { group } of SLOWED_ROWS) {
    if (!options.groups.includes(group))
      throw new UsageError(`--self-test needs the group ${group}`);
  }
  await inBenchDirectory(options.dir, options.allowTmpfs ?? false, async (directory) => {
    const inside = { ...options, dir: directory };
    print(HEADINGS.map((heading, column) => heading.padEnd(WIDTHS[column] as number)).join(''));
    let unexpected = 0;
    for (const { method, group, id } of SLOWED_ROWS) {
      const slowed = await slowBy(
        SLOWED_BY,
        dist,
        join(directory, `slow-${method}`),
        method,
        group,
        id,
        inside,
      );
      const comparison = await compareBuilds(dist, slowed, inside);
      const row = comparison.rows.find((one) => one.id === id) as RowComparison;
      if (!tell(`slow ${method}`, comparison, row, row.judged?.word === 'slower')) unexpected++;
    }
    for (let index = 0; index < COMPARISONS_WITH_ITSELF; index++) {
      const comparison = await compareBuilds(dist, dist, inside);
      if (!tell('itself', comparison, mostDifferent(comparison.rows), !comparison.isRegression))
        unexpected++;
    }
    const total = SLOWED_ROWS.length + COMPARISONS_WITH_ITSELF;
    print(
      `${unexpected === 0 ? 'PASS' : 'FAIL'}: ${total - unexpected} of ${total} comparisons as expected`,
    );
    process.exitCode = unexpected === 0 ? ExitCode.pass : ExitCode.broken;
  });
}

/**
 * How many steps are a fifth depends on the machine and on its present load: the row is measured
 * first.
 */
async function slowBy(
  share: number,
  dist: string,
  directory: string,
  method: SlowedMethod,
  group: 'get-100k' | 'put',
  id: string,
  options: BuildsOptions,
): Promise<string> {
  const measuring = join(directory, 'calibration');
  mkdirSync(measuring, { recursive: true });
  const [rows = []] = await measureSides(
    measuring,
    [{ label: 'calibration', url: OWN_ENGINE_URL }],
    {
      ...options,
      groups: [group],
      launches: CALIBRATION_LAUNCHES,
    },
  );
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new Error(`the group ${group} has no row ${id}`);
  const plainNs = median(samplesOf(row));
  const steps = Math.round((share * plainNs) / nsAStep());
  progress(`a ${method} takes ${Math.round(plainNs)} ns: slowed by ${steps} steps`);
  return slowedBuild(dist, directory, method, steps);
}

function mostDifferent(rows: readonly RowComparison[]): RowComparison {
  const sure = ({ judged }: RowComparison) => judged?.confidence ?? 0;
  return rows.reduce((a, b) => (sure(b) > sure(a) ? b : a));
}

const HEADINGS = [
  'head',
  'load',
  'row',
  'change',
  '95 % interval',
  'verdict',
  'as expected',
] as const;
const WIDTHS = [10, 7, 33, 10, 21, 9, 0] as const;

function tell(
  head: string,
  comparison: Comparison,
  row: RowComparison,
  asExpected: boolean,
): boolean {
  const { judged } = row;
  const shown =
    judged === undefined
      ? ['', '', 'unjudged']
      : [
          formatChange(judged.effect),
          `${formatChange(judged.low)} to ${formatChange(judged.high)}`,
          comparison.isRegression ? 'slower' : judged.word,
        ];
  const cells = [
    head,
    (loadavg()[0] as number).toFixed(1),
    row.name,
    ...shown,
    asExpected ? 'yes' : 'NO',
  ];
  print(cells.map((cell, column) => cell.padEnd(WIDTHS[column] as number)).join(''));
  return asExpected;
}
