import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readSummary, runSoak } from './soak-command.ts';

/**
 * A process that is killed for its progress must be seen making it: samples that a busy machine has
 * the time to answer.
 */
const SAMPLES = ['--sample-ms', '100'];
const killsIn = (out: string) =>
  readSummary(out).events.filter(({ kind }: { kind: string }) => kind === 'kill').length;

/** A map in a file that is written at every sync: what was put since is lost with the process. */
const FORGETFUL_STORE = `
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
export default async function open(directory) {
  const path = join(directory, 'map');
  const map = new Map(existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []);
  const sync = () => {
    writeFileSync(path + '.tmp', JSON.stringify([...map]));
    renameSync(path + '.tmp', path);
  };
  return {
    get: (key) => (map.has(String(key)) ? Buffer.from(map.get(String(key)), 'base64') : undefined),
    put: (key, value) => void map.set(String(key), Buffer.from(value).toString('base64')),
    delete: (key) => void map.delete(String(key)),
    sync,
    entries: () => [...map].map(([key, value]) => [Buffer.from(key), Buffer.from(value, 'base64')]),
    close: sync,
  };
}
`;

function forgetfulStore(): string {
  const path = join(temporaryDirectory(), 'forgetful.mjs');
  writeFileSync(path, FORGETFUL_STORE);
  return path;
}

/**
 * A profile of small values, so paced that a run takes two seconds and more, whatever the machine:
 * the kills come into it.
 */
function profileWith(survives: string, goalBytes: number): string {
  const path = join(temporaryDirectory(), 'profile.json');
  const values = [{ share: 1, leastBytes: 64, mostBytes: 256 }];
  // Two of three operations are puts.
  const operationsPerSecond = Math.round((1.5 * goalBytes) / 160 / 2);
  const profile = { goal: { bytes: goalBytes }, chaos: { kills: 3, survives } };
  // A process that waits for its pace has always something that is not synced: no multiple of its
  // turns is one of these.
  writeFileSync(
    path,
    JSON.stringify({
      ...profile,
      workload: { values, operationsPerSecond },
      syncEveryOperations: 499,
    }),
  );
  return path;
}

describe('kill -9 in the middle of the run', () => {
  test('tidemark keeps every operation that has returned, and the run goes on to its goal', async () => {
    const out = temporaryDirectory();
    const run = [
      '--profile',
      profileWith('put', 2_000_000),
      '--seed',
      '3',
      '--keys',
      '300',
      '--chaos',
      '3',
    ];
    const { code, stdout } = await runSoak([...run, ...SAMPLES, '--out', out]);
    expect(stdout).toMatch(/^PASS: /);
    expect(code).toBe(0);
    expect(killsIn(out)).toBe(3);
    expect(stdout).toMatch(/events .* \d kills?\n/);
    const { totals, command } = readSummary(out);
    expect(totals.bytesWritten).toBeGreaterThanOrEqual(2_000_000);
    expect(command).toContain('--chaos 3');
  });

  test.each([
    ['sync', 0, /^PASS: /],
    ['put', 1, /^BROKEN: /],
  ])(
    'a store that keeps only what was synced, judged by "%s", ends with %d',
    async (survives, exit, words) => {
      const out = temporaryDirectory();
      const run = ['--profile', profileWith(survives, 1_000_000), '--adapter', forgetfulStore()];
      const { code, stdout } = await runSoak([
        ...run,
        '--keys',
        '200',
        '--seed',
        '5',
        ...SAMPLES,
        '--out',
        out,
      ]);
      expect(stdout).toMatch(words);
      expect(code).toBe(exit);
      // Every kill is told of, one that the store did not recover from as well.
      expect(killsIn(out)).toBe(exit === 0 ? 3 : 1);
      if (exit === 0) return;
      expect(stdout).toMatch(
        /this was kill 1 of 3: [\d,]+ operations had returned; (?:no sync had ended|the last sync had ended .* before, and covered [\d,]+); by the contract, every put that has returned survives a kill/,
      );
      const { events } = readSummary(out);
      expect(events.find(({ kind }: { kind: string }) => kind === 'kill')).toMatchObject({
        kill: { number: 1, asked: 3, survives: 'put', recovered: false },
      });
    },
  );
});
