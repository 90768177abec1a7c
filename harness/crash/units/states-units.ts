import { setImmediate as nextTurn } from 'node:timers/promises';
import type { UnitPart } from '../../campaign/unit.ts';
import { formatCount } from '../../units.ts';
import { describeFinding, reproduction } from '../campaign/campaign-states.ts';
import { checkStates } from '../campaign/states-task.ts';
import { INVARIANTS } from '../promises/invariants.ts';
import { writeImage } from '../states/image-files.ts';
import { STEPS } from '../work/campaign-budget.ts';

/** Half of what a workload comes to on the average. */
const LEAST_STATES = 300;

/** One workload and all its crash states. */
export const STATES_UNITS: UnitPart = {
  name: 'states',
  invariants: INVARIANTS,
  list: async ({ wanted }) => wanted,
  floors: (units) => ({ workloads: units, states: units < 8 ? units : units * LEAST_STATES }),
  run: async (unit, { campaign, directory, signal }) => {
    const seed = (campaign.seed + unit) % 2 ** 32;
    const task = { seed, stepCount: STEPS, onlySteps: undefined, diskDirectory: directory };
    const { counts, images, isComplete, finding } = await checkStates(task, async () => {
      await nextTurn();
      return !signal.aborted;
    });
    const { states, nestedStates, onDisk } = counts;
    return {
      counts: {
        workloads: Number(isComplete),
        images: counts.images,
        states,
        nestedStates,
        onDisk,
      },
      seen: images,
      findings:
        finding === undefined
          ? []
          : [
              {
                invariant: finding.invariant,
                message: finding.message,
                steps: finding.kept.map(({ kind }) => kind),
                command: reproduction(seed, finding),
                details: [
                  `Seed ${seed}, after ${formatCount(states)} states.`,
                  ...describeFinding(finding),
                ],
                keepStore: (to) => writeImage(finding.image, to),
              },
            ],
    };
  },
};
