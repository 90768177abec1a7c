import type { TraceEvent } from '../../file-systems/trace.ts';
import type { ExpectationRaised } from '../promises/expectation.ts';

/** What happened to the disk, and what the store has promised meanwhile. */
export type StateEvent = TraceEvent | ExpectationRaised;
