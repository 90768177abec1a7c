import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type CompactionMeasures, compactionContender } from '../compaction/contender.ts';
import { type CompactionSides, compactionTable } from '../compaction/table.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { Contender } from '../measuring/contender.ts';
import type { BenchOptions } from '../measuring/options.ts';
import { describeMachine, print, progress, writeJson } from '../measuring/output.ts';
import { beginResult, type Result } from '../measuring/result.ts';
import { textOf } from '../measuring/table.ts';
import { checksumName } from './bench.ts';

export interface CompactionResult extends Result, CompactionSides {}

export interface CompactionOptions extends Omit<BenchOptions, 'rounds' | 'actionJson'> {
  readonly seconds: number;
}

/** The same load with automatic merges and without, in processes that follow each other. */
export async function runCompaction(options: CompactionOptions): Promise<void> {
  const result = await inBenchDirectory(
    options.dir,
    options.allowTmpfs ?? false,
    async (directory) => {
      const complete = beginResult(
        'compaction',
        directory,
        options.scale,
        await checksumName(directory),
      );
      const sides = { without: [] as CompactionMeasures[], merging: [] as CompactionMeasures[] };
      for (let launch = 0; launch < options.launches; launch++) {
        // Which comes first changes, so that a machine that grows slower hits both.
        const order =
          launch % 2 === 0 ? (['without', 'merging'] as const) : (['merging', 'without'] as const);
        for (const side of order) {
          progress(
            `compaction: process ${launch + 1} of ${options.launches}, ${side === 'merging' ? 'merging' : 'not merging'}`,
          );
          sides[side].push(await measureSide(join(directory, 'side'), side === 'merging', options));
        }
      }
      return { ...complete([], []), ...sides };
    },
  );
  const path = options.out ?? 'bench-results/compaction.json';
  writeJson(path, result);
  if (options.json) print(JSON.stringify(result, null, 2));
  else print(`${describeMachine(result)}\n\n${textOf(compactionTable(result))}`);
  progress(`wrote ${path}`);
}

async function measureSide(
  directory: string,
  merging: boolean,
  { seconds, scale }: CompactionOptions,
): Promise<CompactionMeasures> {
  mkdirSync(directory);
  try {
    const contender = await Contender.start(
      compactionContender({ directory, merging, seconds, scale }),
    );
    await contender.finish();
    return contender.details as CompactionMeasures;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
