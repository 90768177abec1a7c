import { rmSync } from 'node:fs';
import type { KillPlan } from './kill-plan.ts';
import type { ScriptedRound } from './kill-script.ts';
import { killRound } from './kill-store.ts';
import type { KillSubject } from './kill-subject.ts';
import { KillHistory } from './kill-workload.ts';

/** Takes a script from the beginning in a fresh directory. Throws `KillFailure`. */
export async function runScript(
  subject: KillSubject,
  directory: string,
  seed: number,
  script: readonly ScriptedRound[],
): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const history = new KillHistory();
  for (const { round, steps, dieAtChange, blocks, opens } of script) {
    const plan: KillPlan = blocks
      ? { kind: 'blocked', steps: steps.length }
      : { kind: 'change', dieAtChange };
    const place = { seed, round, length: history.length, only: steps };
    await killRound(subject, directory, history, place, plan, opens);
  }
}
