import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GroupName, groupEntry } from '../groups/groups.ts';
import { inBenchDirectory, UsageError } from '../measuring/bench-directory.ts';
import { type Comparison, comparedRows, compareResults } from '../measuring/comparison.ts';
import type { Row } from '../measuring/contest.ts';
import { progress } from '../measuring/output.ts';
import type { Thresholds } from '../measuring/verdict.ts';
import { countsOf } from './counts-contender.ts';
import { engineUrlOf } from './engine-contender.ts';
import { measureRows } from './measure-rows.ts';

/**
 * The thresholds of a whole comparison. With fourteen processes per side, each of seven rows is
 * shown although a few are disturbed.
 */
const TURN_DEFAULTS: Thresholds = { alpha: 0.001, leastEffect: 0.05 };
/**
 * A run of 250 calls fits into what a scheduler gives at a time: of twenty a round, some are hardly
 * disturbed.
 */
const SHORT = { scale: 0.0025, runs: 20 };
const LONG = { scale: 0.05, runs: 1 };

export interface BuildsOptions extends Partial<Thresholds> {
  readonly dir: string;
  readonly allowTmpfs?: true;
  readonly launches: number;
  readonly rounds: number;
  /** The scale of every group. Undefined lets a group take its short run where it has one. */
  readonly scale?: number;
  readonly groups: readonly GroupName[];
}

/** Two builds that take turns, each by its `dist` directory. */
export async function compareBuilds(
  base: string,
  head: string,
  {
    alpha = TURN_DEFAULTS.alpha,
    leastEffect = TURN_DEFAULTS.leastEffect,
    ...options
  }: BuildsOptions,
): Promise<Comparison> {
  const sides = [base, head].map((build, index) => ({
    label: index === 0 ? 'base' : 'head',
    url: engineOf(build),
  }));
  return inBenchDirectory(options.dir, options.allowTmpfs ?? false, async (directory) => {
    const [baseRows = [], headRows = []] = await measureSides(directory, sides, options);
    const counts = [];
    for (const { label, url } of sides) {
      const own = join(directory, `counts-${label}`);
      mkdirSync(own);
      counts.push(await countsOf(`${label} counts`, { engineUrl: url, directory: own }));
    }
    const [baseCounts = [], headCounts = []] = counts;
    return compareResults(
      { rows: baseRows, counts: baseCounts },
      { rows: headRows, counts: headCounts },
      // Any row can raise the alarm, so each gets its share (Bonferroni).
      { alpha: alpha / Math.max(1, comparedRows(headRows).length), leastEffect, byFloor: false },
    );
  });
}

/** The rows of each side. */
export async function measureSides(
  directory: string,
  sides: readonly { readonly label: string; readonly url: string }[],
  {
    groups,
    launches,
    rounds,
    scale,
  }: Pick<BuildsOptions, 'groups' | 'launches' | 'rounds' | 'scale'>,
): Promise<Row[][]> {
  const rows: Row[][] = sides.map(() => []);
  for (const group of groups) {
    const size =
      scale === undefined
        ? groupEntry(group).canBeShort
          ? SHORT
          : LONG
        : { scale, runs: LONG.runs };
    const measured = await measureRows(directory, sides, [group], {
      launches,
      rounds,
      progress,
      ...size,
    });
    for (const [index, own] of measured.entries()) (rows[index] as Row[]).push(...own);
  }
  return rows;
}

function engineOf(build: string): string {
  const url = engineUrlOf(resolve(build));
  if (!existsSync(fileURLToPath(url))) {
    throw new UsageError(
      `${build} is not the dist directory of a build: it has no src/engine/index.js`,
    );
  }
  return url;
}
