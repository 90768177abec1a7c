import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { InvariantBroken } from '../promises/invariants.ts';
import type { KillPlan } from './kill-plan.ts';

/** What a child told before it died. */
export interface KilledRun {
  /** One for each step that it acknowledged, in order. */
  readonly acknowledgements: readonly string[];
  readonly opened: boolean;
  /** The call in which it killed itself, when it did. */
  readonly diedIn: string | undefined;
  /** The number of that call, counted from 1 behind the last line that it wrote. */
  readonly diedAtChange: number | undefined;
  /** It hung, or ended by itself, or was robbed while it was blocked. */
  readonly trouble: unknown;
}

/** Nothing that a child does takes so long; the limit only catches a hang. */
const HANG_MS = 60_000;
const MOST_ERROR_CHARACTERS = 1500;

/** Runs `program` until it dies as planned. `onBlocked` is called while it is alive and blocked. */
export async function runUntilKilled(
  program: string,
  args: readonly string[],
  plan: KillPlan,
  onBlocked: (child: ChildProcess) => Promise<void>,
): Promise<KilledRun> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  let hung = false;
  const watchdog = setTimeout(() => {
    hung = true;
    kill();
  }, HANG_MS);
  let text = '';
  let errors = '';
  let count = 0;
  let blocked: Promise<unknown> | undefined;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    if (count === 0 && plan.kind === 'time') setTimeout(kill, plan.delayMs);
    text += chunk;
    count += chunk.split('\n').length - 1;
    if (plan.kind === 'line' && count >= plan.lines) kill();
    if (plan.kind === 'blocked' && blocked === undefined && /^blocked /m.test(text)) {
      blocked = onBlocked(child)
        .catch((error: unknown) => error)
        .finally(kill);
    }
  });
  const [code, signal] = await once(child, 'close');
  clearTimeout(watchdog);
  const robbed = await blocked;
  const trouble = hung
    ? new InvariantBroken('alive', `the process did not end within ${HANG_MS} ms`)
    : signal === 'SIGKILL'
      ? robbed
      : endedByItself(code ?? signal, errors);
  return { ...parseLines(text), trouble };
}

export function endedByItself(how: number | string, errors: string): InvariantBroken {
  const invariant = /\bI10\b/.test(errors) ? 'I10' : 'alive';
  const told = errors.trim().slice(0, MOST_ERROR_CHARACTERS);
  return new InvariantBroken(invariant, `the process ended by itself (${how}): ${told}`);
}

function parseLines(text: string): Omit<KilledRun, 'trouble'> {
  // What follows the last line feed is a line that was not finished.
  const lines = text.split('\n').slice(0, -1);
  const [, diedIn, change] = lines.find((line) => line.startsWith('dying '))?.split(' ') ?? [];
  const steps = lines.filter((line) => !/^(?:dying|blocked) /.test(line));
  return {
    opened: steps.length >= 2,
    acknowledgements: steps.slice(2),
    diedIn,
    diedAtChange: change === undefined ? undefined : Number(change),
  };
}
