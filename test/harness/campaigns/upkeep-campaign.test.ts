import { expect, test } from 'vitest';
import { runUpkeep } from '../../../harness/crash/upkeep/upkeep-campaign.ts';
import { checkHistory } from '../../../harness/crash/upkeep/upkeep-finding.ts';

test('what looks after a store neither lies nor loses, in histories of everything it does', async () => {
  const report = await runUpkeep({ seed: 11, seconds: 0 });
  expect(report.findings).toEqual([]);
  expect(report.missing).toEqual([]);
  expect(report.histories).toBeGreaterThanOrEqual(40);
}, 120_000);

test('a history is a function of its seed', async () => {
  const [first, second] = [await checkHistory(3), await checkHistory(3)];
  expect(first.finding).toBeUndefined();
  expect(second).toEqual(first);
});
