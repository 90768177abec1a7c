import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Contender, type ContenderSpec } from './contender.ts';
import type { RowHead } from './group.ts';

export interface Row extends RowHead {
  /**
   * Values of each round, by launch: rounds of one process are alike in ways that another process
   * is not.
   */
  readonly launches: readonly (readonly number[])[];
}

export interface ContestOptions {
  /** Fresh processes, each of which measures every row. */
  readonly launches: number;
  /** Rounds a process, after one that warms up. */
  readonly rounds: number;
  /** Runs a round, of which the fastest counts; one if it is left out. */
  readonly runs?: number;
  /** Leaves out the round that warms up. */
  readonly cold?: boolean;
  /** Told before each launch. */
  readonly onLaunch?: (launch: number) => void;
}

/** One of those that take turns; `start` is given a directory of its own for each launch. */
export interface Side {
  readonly start: (directory: string) => ContenderSpec;
}

/**
 * Measures the rows of every side, in turn: round by round, row by row, side after side, so that
 * whatever slows the machine slows all of them. Which side goes first changes with every launch, in
 * the rounds and in starting its process: the first to start waits for the others, and was up to a
 * tenth slower for it.
 */
export async function runContest(
  directory: string,
  sides: readonly Side[],
  { launches, rounds, runs = 1, cold = false, onLaunch }: ContestOptions,
): Promise<{ readonly rows: readonly Row[]; readonly details: unknown }[]> {
  const results = sides.map(() => ({ rows: [] as MutableRow[], details: undefined as unknown }));
  for (let launch = 0; launch < launches; launch++) {
    onLaunch?.(launch);
    const contenders: Contender[] = [];
    try {
      for (const index of turnsOf(launch, sides.length)) {
        const own = join(directory, `${launch}-${index}`);
        mkdirSync(own, { recursive: true });
        const contender = await Contender.start((sides[index] as Side).start(own));
        contenders[index] = contender;
        const result = results[index] as (typeof results)[number];
        result.details = contender.details;
        for (const head of contender.rows) rowOf(result.rows, head).launches.push([]);
      }
      for (let round = cold ? 1 : 0; round <= rounds; round++) {
        await runRound(contenders, launch, runs, (side, id, value) => {
          if (round === 0) return;
          results[side]?.rows
            .find((row) => row.id === id)
            ?.launches.at(-1)
            ?.push(value);
        });
      }
      for (const contender of contenders) await contender.finish();
    } catch (error) {
      // Not all of them may have started.
      for (const contender of contenders) contender?.kill();
      throw error;
    } finally {
      for (const index of sides.keys()) {
        rmSync(join(directory, `${launch}-${index}`), { recursive: true, force: true });
      }
    }
  }
  return results;
}

/** The sides, in their order of this launch. */
function turnsOf(launch: number, count: number): number[] {
  return Array.from({ length: count }, (_, turn) => (turn + launch) % count);
}

interface MutableRow extends RowHead {
  readonly launches: number[][];
}

async function runRound(
  contenders: readonly Contender[],
  launch: number,
  runs: number,
  measured: (side: number, id: string, value: number) => void,
): Promise<void> {
  // A side may lack a row: an older build, or a store that cannot do it.
  const ids = new Set(contenders.flatMap(({ rows }) => rows.map(({ id }) => id)));
  for (const id of ids) {
    for (const side of turnsOf(launch, contenders.length)) {
      const contender = contenders[side] as Contender;
      const index = contender.rows.findIndex((row) => row.id === id);
      if (index !== -1) measured(side, id, await contender.run(index, runs));
    }
  }
}

function rowOf(rows: MutableRow[], head: RowHead): MutableRow {
  let row = rows.find(({ id }) => id === head.id);
  if (row === undefined) {
    row = { ...head, launches: [] };
    rows.push(row);
  }
  return row;
}
