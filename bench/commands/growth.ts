import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatCount } from '../../harness/units.ts';
import {
  CALLS,
  type FillDetails,
  type GrowthInput,
  growthContender,
  type OpenDetails,
} from '../growth/contenders.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { Contender } from '../measuring/contender.ts';
import type { Row } from '../measuring/contest.ts';
import type { BenchOptions } from '../measuring/options.ts';
import { describeRun, print, progress, writeJson } from '../measuring/output.ts';
import { attainmentOf, beginResult, type Result, typicalOf } from '../measuring/result.ts';
import { formatValue, type Table, textOf } from '../measuring/table.ts';
import { checksumName } from './bench.ts';

const SIZES = [10_000, 100_000, 1_000_000];
const FULL_SIZES = [...SIZES, 10_000_000];
/** The size from which on a get may cost at most twice as much. */
const REFERENCE_KEYS = 100_000;

interface Size extends FillDetails, OpenDetails {
  readonly keys: number;
  readonly rows: readonly Row[];
}

export interface GrowthResult extends Result {
  readonly sizes: readonly Size[];
}

interface GrowthOptions extends BenchOptions {
  readonly full?: true;
  readonly keys?: readonly number[];
}

export async function runGrowth(options: GrowthOptions): Promise<void> {
  const result = await inBenchDirectory(
    options.dir,
    options.allowTmpfs ?? false,
    async (directory) => {
      const complete = beginResult(
        'growth',
        directory,
        options.scale,
        await checksumName(directory),
      );
      const sizes: Size[] = [];
      for (const full of options.keys ?? (options.full ? FULL_SIZES : SIZES)) {
        const keys = Math.round(full * options.scale);
        progress(`growth: ${formatCount(keys)} keys`);
        sizes.push(await measureSize(join(directory, String(keys)), keys, options.rounds));
      }
      return { ...complete([], []), sizes };
    },
  );
  const path = options.out ?? 'bench-results/growth.json';
  writeJson(path, result);
  if (options.json) print(JSON.stringify(result, null, 2));
  else print(`${describeRun(result)}\n\n${textOf(growthTable(result))}\n\n${growthOfGet(result)}`);
  progress(`wrote ${path}`);
}

async function measureSize(directory: string, keys: number, rounds: number): Promise<Size> {
  mkdirSync(directory);
  try {
    const filled = await measurePhase({ phase: 'fill', directory, keys }, rounds);
    const opened = await measurePhase({ phase: 'open', directory, keys }, Math.min(rounds, 3));
    return {
      keys,
      ...(filled.details as FillDetails),
      ...(opened.details as OpenDetails),
      rows: [...filled.rows, ...opened.rows],
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measurePhase(input: GrowthInput, rounds: number) {
  const contender = await Contender.start(growthContender(input));
  try {
    const values: number[][] = contender.rows.map(() => []);
    for (let round = 0; round <= rounds; round++) {
      for (const index of contender.rows.keys()) {
        const value = await contender.run(index);
        if (round > 0) values[index]?.push(value);
      }
    }
    await contender.finish();
    const rows = contender.rows.map(
      (head, index): Row => ({ ...head, launches: [values[index] as number[]] }),
    );
    return { details: contender.details, rows };
  } catch (error) {
    contender.kill();
    throw error;
  }
}

export function growthTable({ sizes }: GrowthResult): Table {
  const line = (name: string, cell: (size: Size) => string) => [name, ...sizes.map(cell)];
  const timed = (id: string) => (size: Size) => formatValue(typicalOf(rowOf(size, id)), 'ns');
  const overFloor = (id: string) => (size: Size) =>
    attainmentOf(rowOf(size, id), size.rows).ratio?.toFixed(2) ?? '';
  return {
    head: ['keys', ...sizes.map(({ keys }) => formatCount(keys))],
    lines: [
      line('put of a new key', ({ insertNs }) => formatValue(insertNs, 'ns')),
      line('put of a known key', timed('put')),
      line('times its floor', overFloor('put')),
      line('get', timed('get')),
      line('times its floor', overFloor('get')),
      line('open', timed('open')),
      line('open, per record of the log', (size) => {
        // Every round has put its keys once more.
        const puts = ((rowOf(size, 'put').launches[0] as number[]).length + 1) * CALLS;
        return formatValue(typicalOf(rowOf(size, 'open')) / (size.keys + puts), 'ns');
      }),
      line('memory of the keydir a key', ({ keydirBytes }) => formatValue(keydirBytes, 'bytes')),
      line('resident memory a key after opening', ({ rssBytes }) => formatValue(rssBytes, 'bytes')),
      line('V8 heap a key after opening', ({ heapBytes }) => formatValue(heapBytes, 'bytes')),
      line('longest put that waited for no sync', ({ longestPutNs }) =>
        longestPutNs === 0 ? 'under 0.5 ms' : formatValue(longestPutNs, 'ns'),
      ),
      line('longest put', ({ longestWaitNs }) =>
        longestWaitNs === 0 ? 'under 0.5 ms' : formatValue(longestWaitNs, 'ns'),
      ),
      line('longest delay of the event loop', ({ longestLoopDelayNs }) =>
        formatValue(longestLoopDelayNs, 'ns'),
      ),
    ],
  };
}

export function growthOfGet({ sizes }: GrowthResult): string {
  const reference = sizes.find(({ keys }) => keys === REFERENCE_KEYS);
  const largest = sizes.at(-1);
  if (reference === undefined || largest === undefined) return '';
  const growth = typicalOf(rowOf(largest, 'get')) / typicalOf(rowOf(reference, 'get'));
  return `a get at ${formatCount(largest.keys)} keys takes ${growth.toFixed(2)} times one at ${formatCount(REFERENCE_KEYS)}`;
}

function rowOf({ rows }: Size, id: string): Row {
  return rows.find((row) => row.id === id) as Row;
}
