import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { attainmentOf } from '../../bench/measuring/result.ts';
import { readResult } from '../../bench/measuring/result-file.ts';
import { ExitCode } from '../../harness/exit-code.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MEMORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;

function bench(...words: string[]) {
  return spawnSync(process.execPath, ['dist/bench/main.js', ...words], { encoding: 'utf8' });
}

test('every row with a ratio has its floor beside it, every group its target, and nothing is left behind', () => {
  const directory = temporaryDirectory();
  const out = join(directory, 'out', 'bench.json');
  const ended = bench(
    ...[
      '--groups',
      'get-100k,get-many,put,durable,open,compact',
      '--dir',
      directory,
      '--allow-tmpfs',
      '--out',
      out,
    ],
    ...['--launches', '2', '--rounds', '1', '--scale', '0.005', '--no-counts'],
  );
  expect(ended.status, ended.stderr).toBe(ExitCode.pass);
  const { rows, counts } = readResult(out);
  expect(counts).toEqual([]);
  for (const row of rows) {
    expect(row.launches.map((rounds) => rounds.length)).toEqual([1, 1]);
    const { ratio, isMet } = attainmentOf(row, rows);
    expect(ratio === undefined).toBe(row.floorId === undefined);
    expect(isMet === undefined).toBe(row.target === undefined);
  }
  expect(rows.filter(({ target }) => target !== undefined).length).toBeGreaterThanOrEqual(8);
  expect(readdirSync(directory)).toEqual(['out']);
});

test('what the observer takes is told of pairs of soaks, with and without samples', () => {
  const directory = temporaryDirectory();
  const ended = bench(
    ...[
      'observer',
      '--pairs',
      '2',
      '--bytes',
      '2MB',
      '--json',
      '--dir',
      directory,
      '--allow-tmpfs',
    ],
  );
  expect(ended.status, ended.stderr).toBe(ExitCode.pass);
  const { pairs, lost } = JSON.parse(ended.stdout);
  expect(pairs).toHaveLength(2);
  for (const { bareBytesPerSecond, observedBytesPerSecond, samples } of pairs) {
    expect(Math.min(bareBytesPerSecond, observedBytesPerSecond)).toBeGreaterThan(0);
    expect(samples).toBeGreaterThanOrEqual(2);
  }
  expect(lost.lower).toBeLessThanOrEqual(lost.value);
  expect(lost.upper).toBeGreaterThanOrEqual(lost.value);
  expect(readdirSync(directory)).toEqual([]);
});

test.skipIf(!existsSync(MEMORY) || statfsSync(MEMORY).type !== TMPFS_MAGIC)(
  'a memory file system is refused',
  () => {
    const ended = bench('floors', '--dir', MEMORY);
    expect(ended.status).toBe(ExitCode.usage);
    expect(ended.stderr).toContain('tmpfs');
  },
);

test.each([
  ['an unknown command', ['nonsense']],
  ['an unknown group', ['--groups', 'nonsense']],
  ['a scale beyond 1', ['--scale', '2']],
  ['one build to compare', ['compare', '--base', 'dist']],
  ['a directory that is no build', ['compare', '--base', 'docs', '--head', 'dist']],
])('%s is a usage error', (_, words) => {
  expect(bench(...words).status).toBe(ExitCode.usage);
});
