import { expect, test } from 'vitest';
import { runFaults } from '../../../harness/crash/faults/fault-campaign.ts';
import { ERRNOS, effectsOn } from '../../../harness/file-systems/fault-file-system.ts';

test('a failure of any call leaves a store that says so, goes on reading and recovers everything acknowledged', async () => {
  const report = await runFaults({ size: 'tiny' });
  expect(report.findings).toEqual([]);
  // Every kind of call that an opening, a write, a sync, a rotation, a read or a repair makes, with
  // every effect.
  const kinds = new Set(report.rows.map(({ kind }) => kind));
  for (const kind of [
    'open to create',
    'open to write',
    'open to read',
    'write',
    'writeVector',
    'read',
  ]) {
    expect(kinds).toContain(kind);
  }
  for (const kind of [
    'truncate',
    'rename',
    'dataSync',
    'dataSyncAsync',
    'directorySync',
    'close',
  ]) {
    expect(kinds).toContain(kind);
  }
  for (const kind of kinds) {
    const effects = report.rows.filter((row) => row.kind === kind);
    expect(effects.length).toBeGreaterThanOrEqual(effectsOn(kind).length);
    expect(effects.every(({ runs }) => runs > 0)).toBe(true);
    expect(effects.map(({ effect }) => effect)).toEqual(expect.arrayContaining([...ERRNOS]));
  }
});
