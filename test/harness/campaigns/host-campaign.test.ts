import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runHost } from '../../../harness/crash/host/host-campaign.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('whatever a host does to a live store, nothing acknowledged is lost, and nobody is robbed', async () => {
  const directory = temporaryDirectory();
  const report = await runHost({ directory, seed: 11, seconds: 0, isQuick: true });
  expect(report.findings).toEqual([]);
  expect(report.missing).toEqual([]);
  expect(report.scenarios).toBeGreaterThanOrEqual(10);
  expect(report.writesAcknowledged).toBeGreaterThan(100);
  expect(report.refusals).toBeGreaterThanOrEqual(8);
  expect(readdirSync(directory)).toEqual([]);
});
