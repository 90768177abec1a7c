import { checkHistory, type UpkeepResult } from './upkeep-finding.ts';

/** Checks histories, one for each seed that it is sent, until its parent goes. */
export interface UpkeepAnswer {
  readonly seed: number;
  readonly result: UpkeepResult;
}

// A terminal signals the whole process group; only the parent decides what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (seed: number) => {
  void checkHistory(seed).then((result) => process.send?.({ seed, result } satisfies UpkeepAnswer));
});
