import { expect, test } from 'vitest';
import { LEAST_PAIRS, runRot } from '../../../harness/crash/rot/rot-campaign.ts';

test('damage to a store at rest is an error or a prefix, never wrong bytes', async () => {
  const fixtures = ['datawal/delete_tombstone', 'datawal/bad_crc'];
  const report = await runRot({ seed: 1, fixtures, bits: [6], pairsOneIn: 5 });
  expect(report.findings).toEqual([]);
  expect(report.cases).toBeGreaterThan(5_000);
  expect(report.pairs).toBeGreaterThan(LEAST_PAIRS / 5);
  const row = (subject: string, name: string) =>
    report.rows.find((one) => one.subject === subject && one.row === name);
  // Everything in it is before the mark; what a seal speaks for is not read by an opening.
  const flips = row('ours, closed', 'bit flipped');
  expect((flips?.outcomes.detected ?? 0) + (flips?.outcomes['detected when read'] ?? 0)).toBe(
    flips?.cases,
  );
  // What only seal files could tell is counted as such, and nothing else is.
  for (const { subject, row: name, outcomes } of report.rows) {
    if (outcomes.undetected === 0) continue;
    expect(NEED_SEALS).toContain(name);
    if (subject === 'ours, closed') expect(name).toMatch(/^segment of another store/);
  }
});

const NEED_SEALS = [
  'sealed segment cut at a frame',
  'first segment removed',
  'segment of another store',
  'segment of another store, with its seal',
  'copy of a living store, file by file',
];
