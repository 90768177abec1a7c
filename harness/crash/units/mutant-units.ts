import { digestOf, type UnitPart } from '../../campaign/unit.ts';
import { invokedAs } from '../../invocation.ts';
import { MUTANT_SECONDS, type Profile } from '../campaign/campaign-options.ts';
import { noMutation, runMutants } from '../campaign/mutants-run.ts';
import { runPlant, SELF_TEST_PARTS } from '../campaign/store-self-test.ts';
import { MUTANTS } from '../plants/mutants.ts';
import { STORE_PLANTS } from '../plants/store-plants.ts';

const SILENT = { print: () => {}, update: () => {} };

/** The engine as it is, then one mutant per unit. */
export const MUTANT_UNITS: UnitPart = {
  name: 'mutants',
  invariants: {
    survived: 'a mistake that is planted is caught',
    baseline: 'nothing is caught where nothing is planted',
    planted: 'every edit finds its place',
  },
  list: async () => [noMutation(MUTANTS).name, ...MUTANTS.map(({ name }) => name)],
  floors: (units) => ({ caught: units - 1 }),
  run: async (unit, { campaign, signal }) => {
    const mutant = unit === 0 ? noMutation(MUTANTS) : MUTANTS[unit - 1];
    if (mutant === undefined) throw new Error(`there is no mutant ${unit}`);
    const seconds = MUTANT_SECONDS[campaign.profile as Profile];
    const run = { seed: campaign.seed, seconds, workers: 1, signal, progress: SILENT };
    const [result] = await runMutants([mutant], run);
    if (result === undefined) throw new Error('it was interrupted');
    const { fate, check, message, invariant } = result;
    const wanted = unit === 0 ? 'survived' : 'caught';
    const broken = fate === 'error' ? 'planted' : unit === 0 ? 'baseline' : 'survived';
    return {
      counts: { caught: Number(fate === 'caught') },
      measured: { slowestMutantMs: result.seconds * 1000 },
      seen: digestOf(`${mutant.name} ${fate}`),
      findings:
        fate === wanted
          ? []
          : [
              {
                invariant: broken,
                message: `${mutant.name} (${mutant.mistake}): ${fate}: ${message ?? invariant ?? check}`,
                steps: [mutant.name],
                command:
                  unit === 0
                    ? `${invokedAs('crash')} --mutants`
                    : `${invokedAs('crash')} --mutants --only-mutant ${mutant.name}`,
                details: [],
              },
            ],
    };
  },
};

/** Seconds for one plant; most are found at once. */
const PLANT_SECONDS = 20;

/** The small store as it is through each part, then one plant per unit. */
export const PLANT_UNITS: UnitPart = {
  name: 'plants',
  invariants: {
    passed: 'a mistake in the small store is caught by its part',
    caught: 'the small store as it is passes every part',
  },
  list: async () => [
    ...SELF_TEST_PARTS.map((part) => `no plant, ${part}`),
    ...STORE_PLANTS.map(({ name, part }) => `${name}, ${part}`),
  ],
  floors: () => ({}),
  run: async (unit, { campaign, directory, signal }) => {
    const plant = STORE_PLANTS[unit - SELF_TEST_PARTS.length];
    const part = plant?.part ?? SELF_TEST_PARTS[unit];
    if (part === undefined) throw new Error(`there is no plant ${unit}`);
    const { seed } = campaign;
    const result = await runPlant(plant, part, { directory, seed, seconds: PLANT_SECONDS, signal });
    const { fate, finding, reason } = result;
    const name = `${plant?.name ?? 'no plant'}, ${part}`;
    const seen = digestOf(`${name} ${fate}`);
    if (fate === 'skipped') return { skipped: reason ?? 'skipped', counts: {}, seen, findings: [] };
    return {
      counts: { caught: Number(fate === 'caught') },
      seen,
      findings:
        fate === (plant === undefined ? 'passed' : 'caught')
          ? []
          : [
              {
                invariant: fate,
                message: `${name}: ${finding?.message ?? 'nothing was found'}`,
                steps: [name],
                command: `${invokedAs('crash')} --self-test`,
                details: [],
              },
            ],
    };
  },
};
