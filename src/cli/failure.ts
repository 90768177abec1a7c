import { ExitCode, exitCodeOf } from './exit-code.ts';

/** A wrong word, or a state of things, that the message tells the user how to change. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = ExitCode.usage) {
    super(message);
    this.exitCode = exitCode;
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

export interface Failure {
  readonly code: string | undefined;
  readonly message: string;
  readonly exitCode: number;
}

/** What to tell of anything that was thrown: one sentence or two, no stack. */
export function failureOf(error: unknown): Failure {
  const { code } = (error ?? {}) as { code?: unknown };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommandError) return { code: undefined, message, exitCode: error.exitCode };
  const name = typeof code === 'string' ? code : undefined;
  const advice = name === undefined ? undefined : ADVICE[name];
  return {
    code: name,
    message: advice === undefined ? message : `${message}. ${advice}.`,
    exitCode: exitCodeOf(error),
  };
}
