import { availableParallelism } from 'node:os';
import { ExitCode } from '../../harness/exit-code.ts';
import { type BuildsOptions, compareBuilds } from '../builds/compare-builds.ts';
import { actionBenchmarkOfComparison } from '../measuring/action-benchmark.ts';
import { UsageError } from '../measuring/bench-directory.ts';
import {
  type Comparison,
  type CountComparison,
  compareResults,
  type RowComparison,
} from '../measuring/comparison.ts';
import type { BenchOptions } from '../measuring/options.ts';
import { print, writeJson } from '../measuring/output.ts';
import type { Result } from '../measuring/result.ts';
import { readResult } from '../measuring/result-file.ts';
import { formatChange, formatValue, textOf } from '../measuring/table.ts';
import { runCompareSelfTest } from './compare-self-test.ts';

export interface CompareCommandOptions
  extends Omit<BuildsOptions, 'groups'>,
    Pick<BenchOptions, 'json' | 'out' | 'actionJson'> {
  readonly groups?: BuildsOptions['groups'];
  readonly base?: string;
  readonly head?: string;
  readonly otherMachine?: true;
  readonly selfTest?: true;
}

/** Runs that did not take turns differ by more than the store: they must differ by more. */
const FILE_DEFAULTS = { alpha: 0.01, leastEffect: 0.1 };

/** Two results, or two builds in turn. */
export async function runCompare(
  basePath: string | undefined,
  headPath: string | undefined,
  options: CompareCommandOptions,
): Promise<void> {
  const { base, head } = options;
  // Openings take as long to measure as the rows that a self-test slows, for each of its 22
  // comparisons.
  const groups =
    options.groups ?? (options.selfTest ? ['get-100k', 'put'] : ['get-100k', 'put', 'open']);
  if (options.selfTest) return runCompareSelfTest({ ...options, groups });
  let comparison: Comparison;
  if (
    basePath !== undefined &&
    headPath !== undefined &&
    base === undefined &&
    head === undefined
  ) {
    comparison = compareFiles(basePath, headPath, options);
  } else if (basePath === undefined && base !== undefined && head !== undefined) {
    comparison = await compareBuilds(base, head, { ...options, groups });
  } else {
    throw new UsageError('compare: give BASE.json HEAD.json, or --base DIR --head DIR');
  }
  if (options.out !== undefined) writeJson(options.out, comparison);
  if (options.actionJson !== undefined)
    writeJson(options.actionJson, actionBenchmarkOfComparison(comparison));
  if (options.json) print(JSON.stringify(comparison, null, 2));
  else printComparison(comparison);
  process.exitCode = comparison.isRegression ? ExitCode.threshold : ExitCode.pass;
}

function compareFiles(
  basePath: string,
  headPath: string,
  options: CompareCommandOptions,
): Comparison {
  const base = readResult(basePath);
  const head = readResult(headPath);
  const differences = machineDifferences(base, head);
  if (base.command !== head.command) {
    throw new UsageError(`${basePath} is of "${base.command}", ${headPath} of "${head.command}"`);
  }
  if (differences.length > 0 && !options.otherMachine) {
    throw new UsageError(
      `times of other circumstances are not compared: ${differences.join('; ')}. --other-machine compares the counts`,
    );
  }
  const timed = differences.length === 0;
  const comparison = compareResults(
    timed ? base : { ...base, rows: [] },
    timed ? head : { ...head, rows: [] },
    { ...FILE_DEFAULTS, ...given(options), byFloor: true },
  );
  const warnings = [
    ...differences.map((difference) => `times not compared: ${difference}`),
    ...doubts(base, head),
  ];
  return { ...comparison, warnings: [...warnings, ...comparison.warnings] };
}

function given({ alpha, leastEffect }: CompareCommandOptions) {
  return {
    ...(alpha === undefined ? {} : { alpha }),
    ...(leastEffect === undefined ? {} : { leastEffect }),
  };
}

/** Why times cannot be compared. */
function machineDifferences(base: Result, head: Result): string[] {
  const differences: string[] = [];
  const classes = [base.host.machineClass, head.host.machineClass];
  if (classes[0] !== classes[1]) differences.push(`machines ${classes[0]} and ${classes[1]}`);
  if (base.scale !== head.scale) differences.push(`scale ${base.scale} and ${head.scale}`);
  return differences;
}

function doubts(base: Result, head: Result): string[] {
  const found: string[] = [];
  for (const field of ['node', 'checksum'] as const) {
    if (base.versions[field] !== head.versions[field]) {
      found.push(
        `${field} ${base.versions[field]} and ${head.versions[field]}: what differs may be theirs`,
      );
    }
  }
  for (const [name, { load }] of [
    ['base', base],
    ['head', head],
  ] as const) {
    if (load.before > availableParallelism() / 2) {
      found.push(`the machine was busy before the ${name} run (load ${load.before})`);
    }
  }
  return found;
}

function printComparison({ rows, counts, warnings, isRegression }: Comparison): void {
  if (rows.length > 0) {
    print(
      textOf({
        head: ['row', 'base', 'head', 'change', '95 % interval', 'sure', ''],
        lines: rows.map(rowLine),
      }),
    );
  }
  const changed = counts.filter(({ word }) => word !== 'same');
  if (changed.length > 0) {
    print(`\n${textOf({ head: ['count', 'base', 'head', ''], lines: changed.map(countLine) })}`);
  }
  print(`\n${counts.length - changed.length} of ${counts.length} counts are the same`);
  for (const warning of warnings) print(`warning: ${warning}`);
  print(isRegression ? 'regression' : 'no regression shown');
}

function rowLine({ name, unit, base, head, overFloor, judged }: RowComparison): string[] {
  const ends = [formatValue(base, unit), formatValue(head, unit)];
  if (judged === undefined) return [name, ...ends, '', '', '', 'not judged'];
  const { word, effect, low, high, confidence } = judged;
  const interval = `${formatChange(low)} to ${formatChange(high)}`;
  const sure = `${(Math.floor(confidence * 1000) / 10).toFixed(1)} %`;
  return [
    overFloor ? `${name} (over its floor)` : name,
    ...ends,
    formatChange(effect),
    interval,
    sure,
    word,
  ];
}

function countLine({ name, base, head, word }: CountComparison): string[] {
  return [name, base?.toString() ?? '', head?.toString() ?? '', word];
}
