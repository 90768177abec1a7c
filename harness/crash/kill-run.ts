import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PromiseBroken } from './fault-broken.ts';
import type { KillPlan } from './kill-plan.ts';

/** What a child told before it died. */
export interface KilledRun {
  /** One for each step that it acknowledged, in order. */
  readonly acknowledgements: readonly string[];
  readonly opened: boolean;
  /** The call in which it killed itself, when it did. */
  readonly diedIn: string | undefined;
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
  let blocked: Promise<void> | undefined;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    if (count === 0 && plan.kind === 'time') setTimeout(kill, plan.delayMs);
    text += chunk;
    count += chunk.split('\n').length - 1;
    if (plan.kind === 'line' && count >= plan.lines) kill();
    if (plan.kind === 'blocked' && blocked === undefined && /^blocked /m.test(text)) {
      blocked = onBlocked(child).finally(kill);
      // It is awaited below, once the child is gone.
      blocked.catch(() => {});
    }
  });
  const [code, signal] = await once(child, 'close');
  clearTimeout(watchdog);
  await blocked;
  if (hung) throw new PromiseBroken('alive', `the process did not end within ${HANG_MS} ms`);
  if (signal !== 'SIGKILL') {
    const invariant = /\bI10\b/.test(errors) ? 'I10' : 'alive';
    throw new PromiseBroken(
      invariant,
      `the process ended by itself (${code ?? signal}): ${errors.trim().slice(0, MOST_ERROR_CHARACTERS)}`,
    );
  }
  // What follows the last line feed is a line that was not finished.
  const lines = text.split('\n').slice(0, -1);
  const dying = lines.find((line) => line.startsWith('dying '));
  const steps = lines.filter((line) => !/^(?:dying|blocked) /.test(line));
  return {
    opened: steps.length >= 2,
    acknowledgements: steps.slice(2),
    diedIn: dying?.slice('dying '.length),
  };
}
