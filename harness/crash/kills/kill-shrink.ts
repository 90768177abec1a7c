import { shrinkSteps } from '../work/campaign-shrink.ts';
import type { ScriptedRound } from './kill-script.ts';

/** Changes tried in the step in which a process may have been when it was killed from outside. */
const CHANGES_TRIED = 8;

/**
 * Makes a script that fails shorter: fewer rounds, fewer steps, an earlier death. When it does not
 * fail as it stands, since the death in it came from outside, deaths at exact points of the next
 * step are tried instead, if the process can (`diesInChanges`). Undefined when none of them fails.
 * Ends with the best that it has when the time is over.
 */
export async function shrinkScript(
  script: readonly ScriptedRound[],
  diesInChanges: boolean,
  fails: (script: readonly ScriptedRound[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly ScriptedRound[] | undefined> {
  let best = await firstThatFails(exactForms(script, diesInChanges), fails, hasTime);
  if (best === undefined) return undefined;
  best = await withoutRounds(best, fails, hasTime);
  best = await withoutSteps(best, fails, hasTime);
  best = await withoutRounds(best, fails, hasTime);
  return earlierDeaths(best, fails, hasTime);
}

/** The script itself, and what may have happened when the last death came from outside. */
function* exactForms(
  script: readonly ScriptedRound[],
  diesInChanges: boolean,
): Generator<readonly ScriptedRound[]> {
  yield script;
  const last = script.at(-1);
  if (!diesInChanges || last === undefined || last.dieAtChange > 0 || last.blocks) return;
  const next = (last.steps.at(-1) ?? -1) + 1;
  for (let dieAtChange = 1; dieAtChange <= CHANGES_TRIED; dieAtChange++) {
    yield [...script.slice(0, -1), { ...last, steps: [...last.steps, next], dieAtChange }];
    // It may have told nothing because it was still opening.
    if (last.steps.length === 0) yield [...script.slice(0, -1), { ...last, dieAtChange }];
  }
}

async function withoutRounds(
  script: readonly ScriptedRound[],
  fails: (script: readonly ScriptedRound[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly ScriptedRound[]> {
  let best = script;
  // The last one alone is what many findings come down to.
  if (best.length > 2 && hasTime() && (await fails(best.slice(-1)))) return best.slice(-1);
  for (let dropped = script.length >>> 1; dropped >= 1; dropped >>>= 1) {
    for (let end = best.length - 1; end > 0 && hasTime(); end -= dropped) {
      const shorter = best.filter((_, at) => at < end - dropped || at >= end);
      if (await fails(shorter)) best = shorter;
    }
  }
  return best;
}

async function withoutSteps(
  script: readonly ScriptedRound[],
  fails: (script: readonly ScriptedRound[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly ScriptedRound[]> {
  const all = script.flatMap(({ steps }, index) => steps.map((step) => ({ index, step })));
  if (all.length === 0) return script;
  const withOnly = (numbers: readonly number[]) =>
    script.map((round, index) => ({
      ...round,
      steps: numbers.flatMap((number) => {
        const one = all[number];
        return one?.index === index ? [one.step] : [];
      }),
    }));
  return withOnly(await shrinkSteps(all.length, (numbers) => fails(withOnly(numbers)), hasTime));
}

async function earlierDeaths(
  script: readonly ScriptedRound[],
  fails: (script: readonly ScriptedRound[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly ScriptedRound[]> {
  let best = script;
  for (const [index, { dieAtChange }] of script.entries()) {
    const earlier = function* () {
      // 0 is no death inside a step at all, which is the simplest.
      for (let change = 0; change < dieAtChange; change++)
        yield best.map((round, at) => (at === index ? { ...round, dieAtChange: change } : round));
    };
    best = (await firstThatFails(earlier(), fails, hasTime)) ?? best;
  }
  return best;
}

async function firstThatFails(
  scripts: Iterable<readonly ScriptedRound[]>,
  fails: (script: readonly ScriptedRound[]) => Promise<boolean>,
  hasTime: () => boolean,
): Promise<readonly ScriptedRound[] | undefined> {
  for (const script of scripts) {
    if (!hasTime()) return undefined;
    if (await fails(script)) return script;
  }
  return undefined;
}
