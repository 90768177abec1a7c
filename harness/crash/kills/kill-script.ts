import type { KillPlan } from './kill-plan.ts';
import type { KilledRun } from './kill-run.ts';

/** One life of a store, exactly: which steps the process takes, and where it dies. */
export interface ScriptedRound {
  /** Decides, with the seed of the store, what the steps are. */
  readonly round: number;
  /** The numbers of the steps, ascending. */
  readonly steps: readonly number[];
  /**
   * It dies in this change of the last step, or of its opening when there are no steps. 0: behind
   * them all.
   */
  readonly dieAtChange: number;
  /** The process blocks instead of dying, and must not be robbed. */
  readonly blocks: boolean;
  /** The check afterwards opens the store as a writer, too. */
  readonly opens: boolean;
}

/**
 * What a process did whose death came from outside, as far as it told: the exact moment is lost.
 */
export function scriptOf(
  round: number,
  plan: KillPlan,
  run: KilledRun,
  opens: boolean,
): ScriptedRound {
  const told = run.acknowledgements.length;
  const diedAtChange = run.diedAtChange ?? 0;
  // The step that it was in: the one that it died in, or that threw.
  const isInside = run.opened && (diedAtChange > 0 || run.trouble !== undefined);
  const steps = Array.from({ length: told + (isInside ? 1 : 0) }, (_, number) => number);
  return { round, steps, dieAtChange: diedAtChange, blocks: plan.kind === 'blocked', opens };
}

/**
 * Writes a script for a command line: `0:1,4,5!3+;2:0*` is round 0, which dies in change 3 of step
 * 5 and is opened, then round 2, which blocks.
 */
export function formatScript(script: readonly ScriptedRound[]): string {
  return script
    .map(({ round, steps, dieAtChange, blocks, opens }) => {
      const end = dieAtChange > 0 ? `!${dieAtChange}` : blocks ? '*' : '';
      return `${round}:${steps.join(',')}${end}${opens ? '+' : ''}`;
    })
    .join(';');
}

/** Throws `SyntaxError`. */
export function parseScript(text: string): ScriptedRound[] {
  return text.split(';').map((word) => {
    const match = /^(\d+):(\d+(?:,\d+)*|)(?:!(\d+)|(\*))?(\+)?$/.exec(word);
    if (match === null) throw new SyntaxError(`'${word}' is no round of a script`);
    const [, round, steps, dieAtChange, blocks, opens] = match;
    return {
      round: Number(round),
      steps: steps ? steps.split(',').map(Number) : [],
      dieAtChange: Number(dieAtChange ?? 0),
      blocks: blocks !== undefined,
      opens: opens !== undefined,
    };
  });
}
