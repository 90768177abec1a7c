import { resolve, sep } from 'node:path';
import { CommanderError } from 'commander';
import { ExitCode, exitCodeOf } from './exit-code.ts';

const PROGRAM = 'tidemark';

/** A wrong word, or a state of things, that the message tells the user how to change. */
export class CommandError extends Error {
  readonly exitCode: number;
  /** The code of the `StoreError` that is told in other words. */
  readonly code: string | undefined;

  constructor(message: string, exitCode: number = ExitCode.usage, code?: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** What to do about an error of the engine whose message does not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  STORE_LOCKED:
    'Commands that only read (tidemark --help marks them) need no lock; or end that process first',
  NOT_FOUND: 'Name the directory that holds the store, the one with 00000001.dwal in it',
  NO_SPACE: 'From the command line: tidemark compact DIRECTORY NEW_DIRECTORY, on another device',
  WRITE_FAILED: 'Make room or mend the disk, and run the command again',
  SNAPSHOT_GONE: 'A merge replaced what was being read; run the command again',
  NOT_A_DIRECTORY: 'Name the directory that holds the store, the one with 00000001.dwal in it',
  CRC_MISMATCH:
    'Look at the frame with: tidemark hexdump DIRECTORY PLACE; rescue the rest with: tidemark salvage',
  FRAME_MISMATCH:
    'Look at the frame with: tidemark hexdump DIRECTORY PLACE; rescue the rest with: tidemark salvage',
};

/**
 * Wraps work that puts something at `target`. What is wrong there needs no advice on where a store
 * lies.
 */
export async function telling<T>(target: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { code, message, path } = error as { code?: string; message: string; path?: string };
    const isNoPlace = code === 'NOT_FOUND' || code === 'NOT_A_DIRECTORY';
    if (isNoPlace && path !== undefined && isWithin(target, path))
      throw new CommandError(message, ExitCode.usage, code);
    throw error;
  }
}

/** Is it the target, or a directory that leads there? */
function isWithin(target: string, path: string): boolean {
  return `${resolve(target)}${sep}`.startsWith(path + sep);
}

export interface Failure {
  readonly code: string | undefined;
  readonly message: string;
  readonly exitCode: number;
}

/**
 * What to tell of anything that was thrown: one sentence or two, no stack. `command` is the one
 * that was given, if it is one.
 */
export function failureOf(error: unknown, command: string | undefined): Failure {
  const { code } = (error ?? {}) as { code?: unknown };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommandError) return { code: error.code, message, exitCode: error.exitCode };
  if (error instanceof CommanderError)
    return {
      code: undefined,
      message: wrongWords(error, [PROGRAM, command].filter(Boolean).join(' ')),
      exitCode: ExitCode.usage,
    };
  const name = typeof code === 'string' ? code : undefined;
  const advice = name === undefined ? undefined : ADVICE[name];
  return {
    code: name,
    message: advice === undefined ? message : `${message}. ${advice}.`,
    exitCode: exitCodeOf(error),
  };
}

/** commander's `error: …`, and on a line of its own what it believes was meant. */
function wrongWords({ code, message }: CommanderError, command: string): string {
  const [, what = message, meant] =
    /^error: (.*?)\.?(?:\n\((Did you mean .*)\))?$/s.exec(message) ?? [];
  const isTooEarly = code === 'commander.unknownOption' && command === PROGRAM;
  const guess = meant ?? (isTooEarly ? 'Options go behind the command.' : undefined);
  return [`${what}.`, guess, `For more: ${command} --help`]
    .filter((part) => part !== undefined)
    .join(' ');
}
