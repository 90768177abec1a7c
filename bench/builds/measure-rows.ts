import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type GroupName, groupEntry } from '../groups/groups.ts';
import { type Row, runContest } from '../measuring/contest.ts';
import { engineContender } from './engine-contender.ts';

export interface RowOptions {
  readonly launches: number;
  readonly rounds: number;
  /** Runs a round, of which the fastest counts; one if it is left out. */
  readonly runs?: number;
  readonly scale: number;
  readonly progress: (line: string) => void;
}

/** The rows of these groups, by each of the engines in turn; one list an engine. */
export async function measureRows(
  directory: string,
  engines: readonly { readonly label: string; readonly url: string }[],
  groups: readonly GroupName[],
  { launches, rounds, runs = 1, scale, progress }: RowOptions,
): Promise<Row[][]> {
  const rows: Row[][] = engines.map(() => []);
  for (const group of groups) {
    const { once = false, mostRounds = rounds } = groupEntry(group);
    const own = join(directory, group);
    mkdirSync(own);
    const sides = engines.map(({ label, url }) => ({
      start: (side: string) =>
        engineContender(`${label} ${group}`, { engineUrl: url, group, directory: side, scale }),
    }));
    const results = await runContest(own, sides, {
      launches: once ? 1 : launches,
      rounds: once ? 1 : Math.min(rounds, mostRounds),
      runs,
      cold: once,
      onLaunch: (launch) => progress(`${group}: process ${launch + 1} of ${once ? 1 : launches}`),
    });
    for (const [index, result] of results.entries()) (rows[index] as Row[]).push(...result.rows);
  }
  return rows;
}
