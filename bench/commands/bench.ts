import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/engine/index.ts';
import { countsOf } from '../builds/counts-contender.ts';
import { OWN_ENGINE_URL } from '../builds/engine-contender.ts';
import { measureRows } from '../builds/measure-rows.ts';
import { GROUP_NAMES, type GroupName } from '../groups/groups.ts';
import { actionBenchmarkOf } from '../measuring/action-benchmark.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import type { BenchOptions } from '../measuring/options.ts';
import { print, printResult, progress, writeJson } from '../measuring/output.ts';
import { beginResult, type Result } from '../measuring/result.ts';

/** The groups of a plain run; the floors stand in each of them. */
const PLAIN_GROUPS = GROUP_NAMES.filter((name) => name !== 'floors');

export async function runBench(
  command: string,
  options: BenchOptions & { readonly groups?: readonly GroupName[]; readonly counts: boolean },
): Promise<void> {
  const result = await inBenchDirectory(
    options.dir,
    options.allowTmpfs ?? false,
    async (directory) => {
      const complete = beginResult(
        command,
        directory,
        options.scale,
        await checksumName(directory),
      );
      const groups = options.groups ?? PLAIN_GROUPS;
      const [rows = []] = await measureRows(
        directory,
        [{ label: 'tidemark', url: OWN_ENGINE_URL }],
        groups,
        {
          ...options,
          progress,
        },
      );
      if (!options.counts) return complete(rows, []);
      progress('counts');
      const own = join(directory, 'counts');
      mkdirSync(own);
      return complete(
        rows,
        await countsOf('counts', { engineUrl: OWN_ENGINE_URL, directory: own }),
      );
    },
  );
  publish(result, options);
}

/** Prints a result, and writes its files. */
export function publish(
  result: Result,
  { json, out, actionJson }: Pick<BenchOptions, 'json' | 'out' | 'actionJson'>,
): void {
  const path = out ?? join('bench-results', `${result.command}.json`);
  writeJson(path, result);
  if (actionJson !== undefined) writeJson(actionJson, actionBenchmarkOf(result));
  if (json) print(JSON.stringify(result, null, 2));
  else printResult(result);
  progress(`wrote ${path}`);
}

export async function checksumName(directory: string): Promise<string> {
  await using store = await openStore(join(directory, 'checksum'));
  return store.stats().checksum;
}
