import { constants } from 'node:os';
import { CommandError } from './failure.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * The lock's library hears every signal that ends a process, and ends it at the next turn of the
 * event loop. A command that only reads has nothing to give back: signals kill it as they kill any
 * program, also while it waits in a call of the system, for a pipe that nobody reads.
 */
export function letSignalsKill(): void {
  for (const signal of [...SIGNALS, 'SIGHUP']) process.removeAllListeners(signal);
}

/** Why a command ended early. What it had begun was taken back, or stays as the command says. */
class Interrupted extends CommandError {
  constructor(signal: (typeof SIGNALS)[number]) {
    super(`interrupted by ${signal}`, 128 + constants.signals[signal]);
  }
}

/**
 * Wraps work that would leave debris. The first signal asks it to end, by the abort signal; a
 * second one kills. An opening is not wrapped: it leaves no debris and hears no signal.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const handlers = SIGNALS.map((signal) => () => controller.abort(new Interrupted(signal)));
  for (const [index, signal] of SIGNALS.entries())
    process.once(signal, handlers[index] as () => void);
  try {
    return await work(controller.signal);
  } finally {
    for (const [index, signal] of SIGNALS.entries())
      process.off(signal, handlers[index] as () => void);
  }
}
