import { expect, test } from 'vitest';
import { runRot } from '../../harness/crash/rot-campaign.ts';

test('damage to a store at rest is an error or a prefix, never wrong bytes', async () => {
  const fixtures = ['datawal/delete_tombstone', 'datawal/bad_crc'];
  const report = await runRot({ seed: 1, fixtures, bits: [6] });
  expect(report.findings).toEqual([]);
  expect(report.cases).toBeGreaterThan(5_000);
  const row = (subject: string, name: string) =>
    report.rows.find((one) => one.subject === subject && one.row === name);
  // Everything in it is before the mark.
  const flips = row('ours, closed', 'bit flipped');
  expect(flips?.outcomes.detected).toBe(flips?.cases);
  // What only seal files could tell is counted as such, and nothing else is.
  for (const { row: name, outcomes } of report.rows) {
    if (outcomes.undetected > 0) expect(NEED_SEALS).toContain(name);
  }
});

const NEED_SEALS = [
  'sealed segment cut at a frame',
  'first segment removed',
  'segment of another store',
  'copy of a living store, file by file',
];
