import { loadavg } from 'node:os';
import { median } from 'simple-statistics';
import {
  describeHost,
  describeVersions,
  type Host,
  type Versions,
} from '../../harness/soak/result/host.ts';
import type { Row } from './contest.ts';
import type { Count } from './counts.ts';

/** Raised when a field of the file changes its meaning. */
export const RESULT_SCHEMA = 2;

export interface Result {
  readonly schema: number;
  readonly command: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly host: Host;
  readonly versions: Versions & { readonly checksum: string };
  /**
   * Runnable processes on average, in the minute before the run and in its last: others on the
   * machine slow it.
   */
  readonly load: { readonly before: number; readonly after: number };
  /** Keys and calls are multiplied by it; 1 but for a quick look. */
  readonly scale: number;
  readonly rows: readonly Row[];
  readonly counts: readonly Count[];
}

/** What is known before the measuring: made first, completed when it has ended. */
export function beginResult(command: string, directory: string, scale: number, checksum: string) {
  const startedAt = new Date().toISOString();
  const before = load();
  const host = describeHost(directory);
  const versions = { ...describeVersions(), checksum };
  return (rows: readonly Row[], counts: readonly Count[]): Result => ({
    schema: RESULT_SCHEMA,
    command,
    startedAt,
    finishedAt: new Date().toISOString(),
    host,
    versions,
    load: { before, after: load() },
    scale,
    rows,
    counts,
  });
}

function load(): number {
  return Math.round((loadavg()[0] as number) * 100) / 100;
}

export function valuesOf({ launches }: Row): number[] {
  return launches.flat();
}

/** The median of the medians of the launches, so that each process counts once. */
export function typicalOf(row: Row): number {
  return median(row.launches.map((rounds) => median([...rounds])));
}

export function floorOf(row: Row, rows: readonly Row[]): Row | undefined {
  return rows.find(({ id }) => id === row.floorId);
}

/** How many times its floor, round by round: a slow moment of the machine counts on both sides. */
export function ratiosOf(
  row: Row,
  rows: readonly Row[],
): readonly (readonly number[])[] | undefined {
  const floor = floorOf(row, rows);
  if (floor === undefined) return undefined;
  return row.launches.map((rounds, launch) =>
    rounds.map((value, round) => value / (floor.launches[launch]?.[round] as number)),
  );
}

export interface Attainment {
  /** Times the floor; undefined without one. */
  readonly ratio: number | undefined;
  /** Undefined without a target. */
  readonly isMet: boolean | undefined;
}

export function attainmentOf(row: Row, rows: readonly Row[]): Attainment {
  const ratios = ratiosOf(row, rows);
  const ratio =
    ratios === undefined ? undefined : median(ratios.map((rounds) => median([...rounds])));
  if (row.target === undefined) return { ratio, isMet: undefined };
  const value = row.target.kind === 'ratio' ? ratio : typicalOf(row);
  return { ratio, isMet: value === undefined ? undefined : value <= row.target.limit };
}
