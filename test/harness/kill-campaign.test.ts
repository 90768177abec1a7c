import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runKills } from '../../harness/crash/kill-campaign.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('stores killed in every way keep what they acknowledged, and leave nothing in the way of the next', async () => {
  const directory = temporaryDirectory();
  const report = await runKills({ directory, kills: 20, seed: 3, parallel: 2 });
  expect(report.findings).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(20);
  expect(report.killsWhileOpening).toBeGreaterThan(0);
  expect(report.operationsAcknowledged).toBeGreaterThan(0);
  expect(readdirSync(directory)).toEqual([]);
});

test('a store whose acknowledged writes are not there after a kill is found out', async () => {
  const directory = temporaryDirectory();
  const adapter = new URL('./forgetful-adapter.mjs', import.meta.url).pathname;
  const report = await runKills({ directory, kills: 12, seed: 1, parallel: 2, adapter });
  expect(report.findings.map(({ invariant }) => invariant)).toContain('I2');
  expect(report.findings[0]?.reproduce).toContain('--seed 1');
});
