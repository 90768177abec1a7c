import { serveUnits } from '../../campaign/serve-units.ts';
import { CRASH_PARTS, MUTANT_PARTS } from './crash-parts.ts';

/** A process that runs units of the crash parts. */
serveUnits([...CRASH_PARTS, ...MUTANT_PARTS]);
