import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runKills } from '../../../harness/crash/kills/kill-campaign.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('stores killed in every way keep what they acknowledged, and leave nothing in the way of the next', async ({
  signal,
}) => {
  const directory = temporaryDirectory();
  const report = await runKills({ directory, kills: 20, seed: 3, parallel: 2, signal });
  expect(report.findings).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(20);
  expect(report.killsWhileOpening).toBeGreaterThan(0);
  expect(report.operationsAcknowledged).toBeGreaterThan(0);
  expect(readdirSync(directory)).toEqual([]);
});

test('a store whose acknowledged writes are not there after a kill is found out, and one write is enough', async ({
  signal,
}) => {
  const directory = temporaryDirectory();
  const adapter = new URL('./forgetful-adapter.mjs', import.meta.url).pathname;
  const report = await runKills({ directory, kills: 12, seed: 1, parallel: 2, adapter, signal });
  expect(report.findings.map(({ invariant }) => invariant)).toContain('I2');
  const lost = report.findings.find(({ invariant }) => invariant === 'I2');
  expect(lost?.details.join('\n')).toContain('(processes: 1, steps: 1)');
  // The store of the smallest failure, as it was found.
  expect(existsSync(lost?.directory ?? '')).toBe(true);
  const again = spawnSync(`TMPDIR='${temporaryDirectory()}' ${lost?.reproduce}`, {
    shell: true,
    encoding: 'utf8',
  });
  expect(again.stdout).toContain('I2 is broken');
  expect(again.status).toBe(1);
});
