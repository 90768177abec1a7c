import { resolve, sep } from 'node:path';
import { CommanderError } from 'commander';
import type { StoreErrorCode } from '../engine/index.ts';
import { ExitCode, exitCodeOf } from './exit-code.ts';

const PROGRAM = 'tidemark';
/** A status above it names the signal that ended the command. */
const SIGNAL_STATUS = 128;

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

const HEXDUMP_AND_SALVAGE =
  'Look at the frame: tidemark hexdump DIRECTORY PLACE. Rescue the rest: tidemark salvage DIRECTORY NEW_DIRECTORY';
const WHICH_DIRECTORY =
  'Name the directory that holds the store, the one with 00000001.dwal in it; tidemark put DIRECTORY KEY VALUE makes a new one';
const AFTER_REPAIR =
  'Make room or mend the disk, see what is there with tidemark doctor DIRECTORY, and run the command again';

/**
 * The next command to try, for every code of the engine. Null where its message names one, or where
 * no command would help.
 */
const ADVICE: Readonly<Record<StoreErrorCode, string | null>> = {
  STORE_LOCKED:
    'Commands that only read (tidemark --help marks them) need no lock; tidemark doctor DIRECTORY says who has it; or end that process first',
  NOT_FOUND: WHICH_DIRECTORY,
  NOT_A_DIRECTORY: WHICH_DIRECTORY,
  PERMISSION_DENIED: 'Run it as the user who owns the directory: ls -ld DIRECTORY says who that is',
  NO_SPACE: 'From the command line: tidemark compact DIRECTORY NEW_DIRECTORY, on another device',
  LOG_FULL: 'From the command line: tidemark compact DIRECTORY NEW_DIRECTORY',
  WRITE_FAILED: AFTER_REPAIR,
  SYNC_FAILED: AFTER_REPAIR,
  READ_FAILED:
    'Rescue what can be read: tidemark salvage DIRECTORY NEW_DIRECTORY, on another device',
  IO_FAILED: null,
  SNAPSHOT_GONE: 'A merge replaced what was being read; run the command again',
  STORE_MOVED: 'See what stands there now: tidemark doctor DIRECTORY',
  CRC_MISMATCH: HEXDUMP_AND_SALVAGE,
  FRAME_MISMATCH: HEXDUMP_AND_SALVAGE,
  STORE_CORRUPT: null,
  AMBIGUOUS_TAIL: null,
  TORN_TAIL: 'See where the valid log ends: tidemark report DIRECTORY',
  BACKUP_UNFINISHED: 'Run the backup again: tidemark backup DIRECTORY NEW_DIRECTORY',
  TARGET_NOT_EMPTY: null,
  IMPORT_MALFORMED: 'For the form of a line: tidemark import --help',
  OUT_OF_MEMORY: null,
  NOT_DECODABLE: null,
  WRITER_POISONED: AFTER_REPAIR,
  STORE_CLOSED: null,
  REENTRANT: null,
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
  const line = [PROGRAM, command].filter(Boolean).join(' ');
  if (error instanceof CommandError)
    return {
      code: error.code,
      // Who interrupts a command knows what to do.
      message: error.exitCode > SIGNAL_STATUS ? message : withNextStep(message, line),
      exitCode: error.exitCode,
    };
  if (error instanceof CommanderError)
    return {
      code: undefined,
      message: wrongWords(error, line),
      exitCode: ExitCode.usage,
    };
  const name = typeof code === 'string' ? code : undefined;
  const advice = name === undefined ? undefined : ADVICE[name as StoreErrorCode];
  return {
    code: name,
    message: advice == null ? withNextStep(message, line) : `${message}. ${advice}.`,
    exitCode: exitCodeOf(error),
  };
}

/** Does a message say what to do, or name a command that does it? */
const SAYS_WHAT_TO_DO = /\btidemark [a-z-]+|\b(?:give|name) /;

function withNextStep(message: string, line: string): string {
  return SAYS_WHAT_TO_DO.test(message) ? message : `${message}. For more: ${line} --help`;
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
