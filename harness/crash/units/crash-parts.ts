import type { UnitPart } from '../../campaign/unit.ts';
import type { Profile } from '../campaign/campaign-options.ts';
import { FAULT_UNITS } from './fault-units.ts';
import { MUTANT_UNITS, PLANT_UNITS } from './mutant-units.ts';
import { BLOCK_UNITS, HOST_UNITS, KILL_UNITS } from './process-units.ts';
import { ROT_UNITS } from './rot-units.ts';
import { STATES_UNITS } from './states-units.ts';

/** Every part of a campaign of our own store, in the order in which they run. */
export const CRASH_PARTS: readonly UnitPart[] = [
  STATES_UNITS,
  KILL_UNITS,
  BLOCK_UNITS,
  HOST_UNITS,
  FAULT_UNITS,
  ROT_UNITS,
];

/** The parts that show that the others see something. */
export const MUTANT_PARTS: readonly UnitPart[] = [MUTANT_UNITS, PLANT_UNITS];

/** Units of the parts that have no end of their own. */
export const WANTED: Readonly<Record<Profile, Record<string, number>>> = {
  quick: { states: 40, kills: 4, blocks: 1 },
  default: { states: 160, kills: 70, blocks: 6 },
  nightly: { states: 8000, kills: 4000, blocks: 400 },
};
