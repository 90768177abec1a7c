import { median } from 'simple-statistics';
import type { Row } from './contest.ts';
import type { Count } from './counts.ts';
import type { Unit } from './group.ts';
import { floorOf, type Result } from './result.ts';
import { type Judged, judge, type Thresholds } from './verdict.ts';

export interface RowComparison {
  readonly id: string;
  readonly name: string;
  readonly unit: Unit;
  readonly base: number;
  readonly head: number;
  /**
   * Judged by the times over the floor of the same run, which an otherwise slower machine slows,
   * too.
   */
  readonly overFloor: boolean;
  /** Undefined where one side has fewer samples than could ever show anything. */
  readonly judged: Judged | undefined;
}

export type CountWord = 'same' | 'more' | 'less' | 'new' | 'gone';

export interface CountComparison {
  readonly id: string;
  readonly name: string;
  readonly base: number | undefined;
  readonly head: number | undefined;
  /** Less is better, of every count. */
  readonly word: CountWord;
}

export interface Comparison {
  readonly rows: readonly RowComparison[];
  readonly counts: readonly CountComparison[];
  readonly warnings: readonly string[];
  readonly isRegression: boolean;
}

/** What two results hold in common; rows of only one are named in the warnings. */
export type Comparable = Pick<Result, 'rows' | 'counts'>;

export interface CompareOptions extends Thresholds {
  /** Judge rows by the ratio to their floor: for runs that did not take turns. */
  readonly byFloor: boolean;
}

export function compareResults(
  base: Comparable,
  head: Comparable,
  options: CompareOptions,
): Comparison {
  const warnings: string[] = [];
  const rows = comparedRows(head.rows).flatMap((row) => {
    const before = base.rows.find(({ id }) => id === row.id);
    if (before !== undefined) return [compareRow(before, base.rows, row, head.rows, options)];
    warnings.push(`the base has no row ${row.id}`);
    return [];
  });
  for (const { id } of base.rows) {
    if (!head.rows.some((row) => row.id === id)) warnings.push(`the head has no row ${id}`);
  }
  for (const { name, judged } of rows) {
    if (judged === undefined)
      warnings.push(`${name}: too few processes to show anything at this alpha`);
  }
  const counts = compareCounts(base.counts, head.counts);
  const isRegression =
    rows.some(({ judged }) => judged?.word === 'slower') ||
    counts.some(({ word }) => word === 'more');
  return { rows, counts, warnings, isRegression };
}

/** Floors are the machine's, not the store's: they are what the others are measured by. */
export function comparedRows(rows: readonly Row[]): Row[] {
  const floors = new Set(rows.map(({ floorId }) => floorId));
  return rows.filter(({ id }) => !floors.has(id));
}

function compareRow(
  before: Row,
  baseRows: readonly Row[],
  after: Row,
  headRows: readonly Row[],
  options: CompareOptions,
): RowComparison {
  const baseFloor = options.byFloor ? floorOf(before, baseRows) : undefined;
  const headFloor = options.byFloor ? floorOf(after, headRows) : undefined;
  const overFloor = baseFloor !== undefined && headFloor !== undefined;
  const base = overFloor ? ratios(samplesOf(before), samplesOf(baseFloor)) : samplesOf(before);
  const head = overFloor ? ratios(samplesOf(after), samplesOf(headFloor)) : samplesOf(after);
  const { id, name, unit } = after;
  return {
    id,
    name,
    unit,
    base: median(samplesOf(before)),
    head: median(samplesOf(after)),
    overFloor,
    judged: canShow(base.length, head.length, options.alpha)
      ? judge(base, head, options)
      : undefined,
  };
}

/**
 * One value a process, for the rounds of one are not independent of each other: its fastest round,
 * since whatever else runs on the machine only ever adds to a time.
 */
export function samplesOf({ launches }: Row): number[] {
  return launches.map((rounds) => Math.min(...rounds));
}

function ratios(values: readonly number[], floors: readonly number[]): number[] {
  return values.map((value, launch) => value / (floors[launch] as number));
}

/** Could even two samples of these sizes that do not overlap at all be told apart? */
function canShow(baseCount: number, headCount: number, alpha: number): boolean {
  let ways = 1;
  for (let index = 1; index <= baseCount; index++) ways = (ways * (headCount + index)) / index;
  return 2 / ways <= alpha;
}

function compareCounts(base: readonly Count[], head: readonly Count[]): CountComparison[] {
  const ids = new Set([...base, ...head].map(({ id }) => id));
  return [...ids].map((id) => {
    const before = base.find((count) => count.id === id);
    const after = head.find((count) => count.id === id);
    const { name } = (after ?? before) as Count;
    return {
      id,
      name,
      base: before?.value,
      head: after?.value,
      word: countWord(before?.value, after?.value),
    };
  });
}

function countWord(base: number | undefined, head: number | undefined): CountWord {
  if (base === undefined) return 'new';
  if (head === undefined) return 'gone';
  return head === base ? 'same' : head > base ? 'more' : 'less';
}
