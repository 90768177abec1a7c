import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { comparedRows } from '../../bench/measuring/comparison.ts';
import { slowedBuild } from '../../bench/measuring/slowed-build.ts';
import { ExitCode } from '../../harness/exit-code.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function compare(...words: string[]) {
  return spawnSync(process.execPath, ['dist/bench/main.js', 'compare', ...words], {
    encoding: 'utf8',
  });
}

/** A result with one row over its floor and one count; five processes of three rounds. */
function result(changes: { get?: number; preads?: number; [field: string]: unknown }) {
  const { get = 2000, preads = 1, ...fields } = changes;
  const launches = (ns: number) =>
    [0, 1, 2, 3, 4].map((launch) => [0, 1, 2].map((round) => ns + launch + round));
  const row = { name: 'get', unit: 'ns' };
  return {
    schema: 2,
    command: 'bench',
    host: { machineClass: 'linux, x64, 2 x fast' },
    versions: { node: 'v20.20.2', checksum: 'native' },
    load: { before: 0, after: 0 },
    scale: 1,
    rows: [
      { ...row, id: 'read', launches: launches(1000) },
      { ...row, id: 'get', floorId: 'read', launches: launches(get) },
    ],
    counts: [{ id: 'preads', name: 'preads per get', value: preads }],
    ...fields,
  };
}

describe('bench compare', () => {
  test.each([
    ['the same result again', {}, ExitCode.pass],
    ['a row that is slower', { get: 2600 }, ExitCode.threshold],
    ['a row that is faster', { get: 1500 }, ExitCode.pass],
    ['a count that is higher by one', { preads: 2 }, ExitCode.threshold],
    ['a count that is lower', { preads: 0 }, ExitCode.pass],
    ['another schema', { schema: 1 }, ExitCode.usage],
    [
      'another class of machine',
      { host: { machineClass: 'linux, arm64, 64 x slow' } },
      ExitCode.usage,
    ],
    ['another scale', { scale: 0.5 }, ExitCode.usage],
    ['rows that are none', { rows: [{ id: 1 }] }, ExitCode.usage],
  ])('%s', (_, changes, status) => {
    const directory = temporaryDirectory();
    const [base, head] = [join(directory, 'base.json'), join(directory, 'head.json')];
    writeFileSync(base, JSON.stringify(result({})));
    writeFileSync(head, JSON.stringify(result(changes)));
    const ended = compare(base, head);
    expect(ended.status, ended.stderr + ended.stdout).toBe(status);
  });

  test('another machine can be asked to have its counts compared, and only those', () => {
    const directory = temporaryDirectory();
    const [base, head] = [join(directory, 'base.json'), join(directory, 'head.json')];
    writeFileSync(base, JSON.stringify(result({})));
    writeFileSync(head, JSON.stringify(result({ get: 9000, host: { machineClass: 'other' } })));
    const ended = compare(base, head, '--other-machine');
    expect(ended.status).toBe(ExitCode.pass);
    expect(ended.stdout).toMatch(/^warning: times not compared: machines/m);
  });

  test('a file that was cut off is said to be that', () => {
    const directory = temporaryDirectory();
    const [base, head] = [join(directory, 'base.json'), join(directory, 'head.json')];
    const text = JSON.stringify(result({}));
    writeFileSync(base, text);
    writeFileSync(head, text.slice(0, text.length / 2));
    const ended = compare(base, head);
    expect(ended.status).toBe(ExitCode.usage);
    expect(ended.stderr).toContain('truncated');
  });

  test('writes what github-action-benchmark reads', () => {
    const directory = temporaryDirectory();
    const [base, entries] = [join(directory, 'base.json'), join(directory, 'entries.json')];
    writeFileSync(base, JSON.stringify(result({})));
    expect(compare(base, base, '--action-json', entries).status).toBe(ExitCode.pass);
    for (const entry of JSON.parse(readFileSync(entries, 'utf8'))) {
      expect(entry).toMatchObject({
        name: expect.any(String),
        unit: expect.any(String),
        value: expect.any(Number),
      });
    }
  });

  test('of two builds that take turns, the one whose gets take many steps more is slower, and its row is named', () => {
    const directory = temporaryDirectory();
    // By several times, which shows on a busy machine, too.
    const slowed = slowedBuild('dist', join(directory, 'slowed'), 'get', 4_000);
    const ended = compare(
      ...['--base', 'dist', '--head', slowed, '--dir', directory, '--allow-tmpfs'],
      ...['--groups', 'get-100k', '--launches', '5', '--rounds', '1', '--alpha', '0.02'],
    );
    expect(ended.status, ended.stderr + ended.stdout).toBe(ExitCode.threshold);
    expect(ended.stdout).toMatch(/^get, 100k keys .*slower$/m);
  });

  test('the self-test needs the rows that it slows', () => {
    const ended = compare('--self-test', '--groups', 'open');
    expect(ended.status).toBe(ExitCode.usage);
    expect(ended.stderr).toContain('--self-test needs the group get-100k');
  });
});

test('a floor is nothing to be compared', () => {
  const row = { name: 'get', unit: 'ns' as const };
  const rows = [
    { ...row, id: 'read', launches: [[1]] },
    { ...row, id: 'get', floorId: 'read', launches: [[2]] },
    { ...row, id: 'miss', launches: [[3]] },
  ];
  expect(comparedRows(rows).map(({ id }) => id)).toEqual(['get', 'miss']);
});
