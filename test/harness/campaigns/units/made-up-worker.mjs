import { serveUnits } from '../../../../dist/harness/campaign/serve-units.js';
import { madeUpParts } from './made-up-parts.mjs';

serveUnits(madeUpParts());
