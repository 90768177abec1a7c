import { cpSync } from 'node:fs';
import { withSeededIdentities } from '../../campaign/seeded-identities.ts';
import { digestOf, type UnitContext, type UnitPart, type UnitResult } from '../../campaign/unit.ts';
import { invokedAs } from '../../invocation.ts';
import { faultRows, type PlannedFaultRow, runFaultRow } from '../faults/fault-campaign.ts';
import { outsideNames, runOutside } from '../faults/fault-outside.ts';
import { INVARIANTS } from '../promises/invariants.ts';

const ROWS_SEED = 1;

/** The rows are the same for every seed; they are counted once in each process. */
const rowsOf = (() => {
  const known = new Map<string, Promise<PlannedFaultRow[]>>();
  return (profile: string): Promise<PlannedFaultRow[]> => {
    const size = profile === 'quick' ? 'tiny' : 'whole';
    let rows = known.get(size);
    if (rows === undefined) {
      rows = withSeededIdentities(ROWS_SEED, () => faultRows(size));
      known.set(size, rows);
    }
    return rows;
  };
})();

const again = (unit: number) =>
  `${invokedAs('crash')} --campaign campaign.json --units faults:${unit}`;

/** Rows of faults at calls, then the faults that the kernel gives. */
export const FAULT_UNITS: UnitPart = {
  name: 'faults',
  invariants: INVARIANTS,
  list: async ({ profile }) => [
    ...(await rowsOf(profile)).map(
      ({ story, kind, effect, forGood, calls }) =>
        `${story.name}: ${kind} ${effect}${forGood ? ' for good' : ''}, ${calls} calls`,
    ),
    ...outsideNames(),
  ],
  floors: (units) => ({ runs: units - outsideNames().length }),
  run: async (unit, context) => {
    const rows = await rowsOf(context.campaign.profile);
    const row = rows[unit];
    if (row === undefined)
      return runFromOutside(outsideNames()[unit - rows.length] as string, unit, context);
    const findings = await withSeededIdentities(unit, () => runFaultRow(row));
    return {
      counts: { runs: row.calls },
      seen: `${row.story.name} ${row.kind} ${row.effect} ${row.calls}`,
      findings: findings.map(({ invariant, message, story, fault }) => ({
        invariant,
        message,
        steps: [story, fault.kind, fault.effect],
        command: again(unit),
        details: [`${story}, ${JSON.stringify(fault)}`],
      })),
    };
  },
};

async function runFromOutside(
  name: string,
  unit: number,
  { campaign, directory }: UnitContext,
): Promise<UnitResult> {
  const [result] = await runOutside({ directory, seed: campaign.seed }, (one) => one === name);
  if (result === undefined) throw new Error(`no fault from outside is called ${name}`);
  const { status, detail, invariant = 'alive' } = result;
  const seen = digestOf(name);
  if (status === 'skipped') return { skipped: detail, counts: {}, seen, findings: [] };
  return {
    counts: { outside: 1 },
    seen,
    findings:
      status === 'passed'
        ? []
        : [
            {
              invariant,
              message: `${name}: ${detail.replaceAll(directory, '')}`,
              steps: [name],
              command: again(unit),
              details: [],
              keepStore: (to) => cpSync(directory, to, { recursive: true }),
            },
          ],
  };
}
