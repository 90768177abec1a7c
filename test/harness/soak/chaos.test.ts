import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readSummary, runSoak } from './soak-command.ts';

const CHAOS = ['--seed', '3', '--keys', '300', '--bytes', '40MB', '--sample-ms', '20', '--chaos', '3'];
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

function profileWith(survives: string): string {
  const path = join(temporaryDirectory(), 'profile.json');
  const values = [{ share: 1, leastBytes: 64, mostBytes: 256 }];
  const profile = { goal: { bytes: '4MB' }, chaos: { kills: 3, survives }, workload: { values } };
  writeFileSync(path, JSON.stringify({ ...profile, syncEveryOperations: 500 }));
  return path;
}

describe('kill -9 in the middle of the run', () => {
  test('tidemark keeps every operation that has returned, and the run goes on to its goal', async () => {
    const out = temporaryDirectory();
    const { code, stdout } = await runSoak([...CHAOS, '--out', out]);
    expect(stdout).toMatch(/^PASS: /);
    expect(code).toBe(0);
    expect(killsIn(out)).toBeGreaterThan(0);
    expect(stdout).toMatch(/events .* \d kills?\n/);
    const { totals, command } = readSummary(out);
    expect(totals.bytesWritten).toBeGreaterThanOrEqual(40_000_000);
    expect(command).toContain('--chaos 3');
  });

  test.each([
    ['sync', 0, /^PASS: /],
    ['put', 1, /^BROKEN: /],
  ])(
    'a store that keeps only what was synced, judged by "%s", ends with %d',
    async (survives, exit, words) => {
      const out = temporaryDirectory();
      const run = ['--profile', profileWith(survives), '--adapter', forgetfulStore(), '--keys', '200'];
      const { code, stdout } = await runSoak([...run, '--seed', '5', '--sample-ms', '20', '--out', out]);
      expect(stdout).toMatch(words);
      expect(code).toBe(exit);
    },
  );
});
